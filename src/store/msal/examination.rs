//! Whether all is well with a cache. What is wrong is told, and nothing is changed.

use std::fs;
use std::io;
use std::path::Path;

use super::copy::{self, Client};
use super::lock::{self, Lying};
use super::{MsalCache, Sharing};
use crate::context::Context;
use crate::error::Error;
use crate::system::platform;

impl MsalCache {
    /// A cache of which no profile is known.
    pub fn at(file: &Path) -> Self {
        Self::new(Sharing {
            file: file.to_owned(),
            ..Sharing::default()
        })
    }

    /// The clients whose sign-ins lie there, or why it is none that can be opened here.
    ///
    /// # Errors
    /// `store`, where the file cannot be read, or others can read it.
    pub fn clients(&self, context: &Context<'_>) -> Result<Result<Vec<Client>, String>, Error> {
        self.make_of(context, copy::of_document)
    }

    /// Whether it lies in a keyring that stays locked when it is to be read. Whoever must not be asked has
    /// a `keyring` that asks nobody.
    pub fn is_locked_up(&self, context: &Context<'_>) -> bool {
        let item = self.sharing.item.as_ref();
        item.is_some_and(|item| item.is_locked(context))
    }

    /// Proves that a file can be written beside the cache, and so take its place. No lock is needed: the
    /// file is none of those that a refresh writes.
    ///
    /// # Errors
    /// `store`.
    pub fn prove_replaceable(&self) -> Result<(), Error> {
        let path = self.replaceable().temporary("examination");
        // Of one that was killed.
        drop(fs::remove_file(&path));
        let made = platform::private_file()
            .write(true)
            .create_new(true)
            .open(&path);
        drop(fs::remove_file(&path));
        match made {
            // By another one, at the same moment.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(self
                .unwritable(&error)
                .hint("see that its directory is there, and can be written")),
            Ok(_) => Ok(()),
        }
    }

    /// What lies in the place of its lock.
    ///
    /// # Errors
    /// `interrupted`, or `store`.
    pub fn lock_that_lies_there(&self, context: &Context<'_>) -> Result<Option<Lying>, Error> {
        lock::look(self.path(), context)
    }
}
