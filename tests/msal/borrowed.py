"""MSAL Python gets tokens for what somebody has already, at an authority on loopback: for a person's
password, for a refresh token from elsewhere, and on behalf of whoever has called a service.

    python3 borrowed.py ORIGIN TENANT PASSWORD REFRESH_TOKEN ASSERTION
"""

import sys

import msal

from loopback import ENTRA, Loopback, checked

origin, tenant, password, refresh_token, assertion = sys.argv[1:]
options = {
    "authority": f"{ENTRA}/{tenant}",
    "instance_discovery": False,
    "client_capabilities": ["CP1"],
    "http_client": Loopback(origin, tenant),
}
scopes = ["User.Read"]
public = msal.PublicClientApplication("cli", **options)
checked(public.acquire_token_by_username_password("ada@example.test", password, scopes))
checked(public.acquire_token_by_refresh_token(refresh_token, scopes))
service = msal.ConfidentialClientApplication("cli", client_credential="of-the-client", **options)
checked(service.acquire_token_on_behalf_of(assertion, scopes))
