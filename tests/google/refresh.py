"""A program with google-auth has an access token of Google Cloud by an external account, and prints it.

    python3 refresh.py CONFIGURATION [interactive | revoke]
"""

import sys

from google.auth import exceptions, pluggable
from google.auth.transport.requests import Request

path, mode = (sys.argv + [""])[1:3]
credentials = pluggable.Credentials.from_file(
    path, scopes=["https://www.googleapis.com/auth/cloud-platform"], interactive=bool(mode)
)
try:
    if mode == "revoke":
        credentials.revoke(Request())
        print("revoked")
    else:
        credentials.refresh(Request())
        print(credentials.token)
except exceptions.GoogleAuthError as error:
    sys.exit(f"{type(error).__name__}: {error}")
