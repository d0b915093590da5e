"""MSAL Python asks each of Azure's services of managed identities for a token, on loopback, and, but for
Cloud Shell, for another one after a challenge.

    python3 managed_identity.py ORIGIN RESOURCE CAPABILITY [ID-KEY ID]

The variables that name a service are the caller's, as for any program that runs in Azure; requests to
an address of its own are led to ORIGIN. ID-KEY is `client_id`, `resource_id` or `object_id`.
"""

import sys
import urllib.parse

import msal
import requests
from msal.cloudshell import _is_running_in_cloud_shell, _obtain_token

origin, resource, capability, *id = sys.argv[1:]


class Loopback(requests.Session):
    """What MSAL sends requests with."""

    def request(self, method, url, **options):
        if url.startswith("http://localhost:50342/"):
            url = origin + urllib.parse.urlsplit(url).path
        return super().request(method, url, **options)


session = Loopback()
if _is_running_in_cloud_shell():
    answer = _obtain_token(session, [f"{resource}/.default"])
else:
    identity = (
        msal.UserAssignedManagedIdentity(**{id[0]: id[1]})
        if id
        else msal.SystemAssignedManagedIdentity()
    )
    client = msal.ManagedIdentityClient(
        identity, http_client=session, client_capabilities=[capability]
    )
    client.acquire_token_for_client(resource=resource)
    answer = client.acquire_token_for_client(resource=resource, claims_challenge="{}")
print(answer["access_token"])
