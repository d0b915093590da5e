"""MSAL Python loads each cache that a line of stdin names, and says who is signed in there, or why it
cannot be loaded.

    python3 load.py ORIGIN TENANT CLIENT
"""

import json
import sys

import msal
from msal_extensions import FilePersistence, PersistedTokenCache

from loopback import Loopback

HERE = "https://127.0.0.1"
origin, tenant, client = sys.argv[1:]
for line in sys.stdin:
    application = msal.PublicClientApplication(
        client,
        authority=f"{HERE}/{tenant}",
        instance_discovery=False,
        http_client=Loopback(origin, tenant, HERE),
        token_cache=PersistedTokenCache(FilePersistence(line.rstrip("\n"))),
    )
    names = [account["username"] for account in application.get_accounts()]
    print(json.dumps(names), flush=True)
