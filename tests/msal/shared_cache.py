"""MSAL Python and its extensions at a cache in a file, as other programs have one; where SCHEMA is set, in
the Secret Service, and the file tells of its changes. Each word is a step, and each line that is printed
is its result in JSON. `rewrite` goes on until stdin ends.

    python3 shared_cache.py ORIGIN TENANT CLIENT FILE STEP...
"""

import json
import os
import select
import sys

import msal
from msal_extensions import FilePersistence, LibsecretPersistence, PersistedTokenCache

from loopback import Loopback, checked

HERE = "https://127.0.0.1"
SCOPES = ["User.Read"]
origin, tenant, client, file = sys.argv[1:5]

schema = os.environ.get("SCHEMA")
if schema:
    persistence = LibsecretPersistence(file, schema, {"type": "Token cache"})
else:
    persistence = FilePersistence(file)
application = msal.PublicClientApplication(
    client,
    authority=f"{HERE}/{tenant}",
    instance_discovery=False,
    http_client=Loopback(origin, tenant, HERE),
    token_cache=PersistedTokenCache(persistence),
)


def sign_in():
    flow = checked(application.initiate_device_flow(SCOPES))
    return checked(application.acquire_token_by_device_flow(flow))


def silent(**more):
    accounts = application.get_accounts()
    return accounts and application.acquire_token_silent_with_error(SCOPES, accounts[0], **more)


def rewrite():
    """Writes the cache again and again, as for each row that is new; says so first, and how often at last."""
    cache = application.token_cache
    count = 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        for row in list(cache.search(cache.CredentialType.REFRESH_TOKEN)):
            cache.update_rt(row, row["secret"])
        count += 1
        if count == 1:
            print(json.dumps("rewriting"), flush=True)
    return count


def run(step):
    if step == "sign-in":
        return sign_in()
    if step == "silent":
        return silent()
    if step == "refresh":
        return silent(force_refresh=True)
    if step == "accounts":
        return [account["username"] for account in application.get_accounts()]
    if step == "sign-out":
        for account in application.get_accounts():
            application.remove_account(account)
        return []
    if step == "rewrite":
        return rewrite()
    if step.isdigit():
        return [run("refresh") for _ in range(int(step))]
    raise ValueError(step)


for step in sys.argv[5:]:
    print(json.dumps(run(step)), flush=True)
