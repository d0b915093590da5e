// The same as `get_token.py`, with @azure/identity.
//
//     node get_token.cjs LIBRARY RESOURCE_SERVER '["CREDENTIAL", "SCOPE", "TENANT"]' ...

const [library, server, ...cases] = process.argv.slice(2);
const { AzureCliCredential, AzureDeveloperCliCredential, ChainedTokenCredential } = require(library);

const makers = {
  az: (options) => new AzureCliCredential(options),
  azd: (options) => new AzureDeveloperCliCredential(options),
  chain: (options) => new ChainedTokenCredential(makers.az(options), makers.azd(options)),
};

async function ask([kind, scope, tenant]) {
  try {
    const options = tenant ? { tenantId: tenant } : {};
    const { token, expiresOnTimestamp } = await makers[kind](options).getToken(scope);
    const answer = await fetch(server, { headers: { Authorization: `Bearer ${token}` } });
    console.log(answer.status, expiresOnTimestamp / 1000, token.length);
  } catch (error) {
    console.log(`${error.name}: ${error.message}`.replaceAll("\n", " "));
  }
}

cases.map((line) => JSON.parse(line)).reduce((before, one) => before.then(() => ask(one)), Promise.resolve());
