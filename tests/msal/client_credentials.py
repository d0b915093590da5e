"""MSAL Python's confidential clients sign in as themselves at an authority on loopback: with a secret,
with a certificate, with the same and its certificate sent along, and with an assertion of somebody
else.

    python3 client_credentials.py ORIGIN TENANT PFX PASSPHRASE
"""

import sys

import msal

from loopback import ENTRA, Loopback, checked

origin, tenant, pfx, passphrase = sys.argv[1:]
certificate = {"private_key_pfx_path": pfx, "passphrase": passphrase}
for credential in [
    "of-the-client",
    certificate,
    {**certificate, "public_certificate": True},
    {"client_assertion": lambda: "of-somebody-else"},
]:
    application = msal.ConfidentialClientApplication(
        "cli",
        client_credential=credential,
        authority=f"{ENTRA}/{tenant}",
        instance_discovery=False,
        client_capabilities=["CP1"],
        http_client=Loopback(origin, tenant),
    )
    checked(application.acquire_token_for_client(["User.Read"]))
