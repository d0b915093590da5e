"""MSAL Python signs in at an authority on loopback: with a browser's code, with a device code, and then
refreshes. The authority writes down what it is asked; this prints the address of the page.

    python3 sign_in.py ORIGIN TENANT
"""

import sys

import msal

from loopback import ENTRA, Loopback, checked

origin, tenant = sys.argv[1:]

application = msal.PublicClientApplication(
    "cli",
    authority=f"{ENTRA}/{tenant}",
    instance_discovery=False,
    client_capabilities=["CP1"],
    http_client=Loopback(origin, tenant),
)
scopes = ["User.Read"]
flow = application.initiate_auth_code_flow(
    scopes,
    redirect_uri="http://localhost",
    login_hint="ada@example.test",
    domain_hint="contoso.example",
    prompt="select_account",
)
print(flow["auth_uri"])
answer = {"code": "the-code-of-this-page", "state": flow["state"]}
checked(application.acquire_token_by_auth_code_flow(flow, answer))
flow = checked(application.initiate_device_flow(scopes))
checked(application.acquire_token_by_device_flow(flow))
account = application.get_accounts("ada@example.test")[0]
checked(application.acquire_token_silent(scopes, account, force_refresh=True))
