// Plays the person at glewlwyd. Its pages are scripts around an API: the same requests in the
// same order, cookies included.

export function createPerson({ origin, mark, password }) {
  /**
   * Walks from `start`, a verification URL, to the end; every walk is a fresh browser. The
   * redirect's status at the end, and the user code it was for.
   */
  return async function walk({ start, userCode, login = 'ada', decision = 'approve' }) {
    if (decision !== 'approve') throw new Error(`\`decision\` is \`${decision}\`: glewlwyd's pages have no Cancel`);
    let cookie = '';
    const visit = async (url, method = 'GET', body = undefined) => {
      const response = await fetch(new URL(url, origin), {
        method,
        body: body && JSON.stringify(body),
        redirect: 'manual',
        headers: { cookie, 'content-type': 'application/json', 'x-person': mark },
      });
      if (response.status >= 400) throw new Error(`${method} ${url} answered ${response.status}: ${await response.text()}`);
      cookie = response.headers.getSetCookie().map((line) => line.split(';')[0])[0] ?? cookie;
      const location = response.headers.get('location');
      return { status: response.status, asked: location ? new URL(location).searchParams : new URLSearchParams() };
    };

    const verification = new URL(start);
    if (userCode) verification.searchParams.set('code', userCode);
    const { asked } = await visit(verification);
    const clientId = asked.get('client_id');
    if (!clientId) throw new Error(`the code \`${verification.searchParams.get('code')}\` is refused: ${asked}`);

    await visit('/api/auth', 'POST', { username: login, password });
    await visit(`/api/auth/grant/${clientId}`, 'PUT', { scope: asked.get('scope') });
    verification.searchParams.set('g_continue', '');
    const end = await visit(verification);
    if (end.asked.get('prompt') !== 'deviceComplete') throw new Error(`the sign-in does not end: ${end.asked}`);
    return { status: end.status, userCode: verification.searchParams.get('code') };
  };
}
