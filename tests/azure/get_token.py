"""A program with azure-identity gets tokens, shows each to a resource server, and prints what came of it.

    python3 get_token.py RESOURCE_SERVER '["CREDENTIAL", "SCOPE", "TENANT"]' ...

A line for each: `STATUS EXPIRES_ON LENGTH` of the token, or the error.
"""

import json
import logging
import sys
import urllib.error
import urllib.request

from azure.core.exceptions import ClientAuthenticationError
from azure.identity import (
    AzureCliCredential,
    AzureDeveloperCliCredential,
    ChainedTokenCredential,
    CredentialUnavailableError,
    DefaultAzureCredential,
)

NAMES = """broker environment interactive_browser managed_identity powershell shared_token_cache
visual_studio_code workload_identity"""
# What could ask the network, or somebody else on this machine.
OTHERS = {f"exclude_{name}_credential": True for name in NAMES.split()}
# What it says there is in the error too.
logging.disable()
MAKERS = {
    "az": AzureCliCredential,
    "azd": AzureDeveloperCliCredential,
    "chain": lambda: ChainedTokenCredential(AzureCliCredential(), AzureDeveloperCliCredential()),
    "default": lambda: DefaultAzureCredential(**OTHERS),
}


def status(url, token):
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


for case in sys.argv[2:]:
    kind, scope, tenant = json.loads(case)
    try:
        token = MAKERS[kind]().get_token(scope, **({"tenant_id": tenant} if tenant else {}))
        print(status(sys.argv[1], token.token), token.expires_on, len(token.token), flush=True)
    except (ClientAuthenticationError, CredentialUnavailableError) as error:
        print(f"{type(error).__name__}: {error}".replace("\n", " "), flush=True)
