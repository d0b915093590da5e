// Plays the person at glewlwyd. Its pages are scripts around an API: the same requests in the
// same order, cookies included.

export function createPerson({ origin, mark, password }) {
  /**
   * Walks from `start`, a verification or authorization URL, to the end; every walk is a fresh
   * browser. The last page's status, or with `copies` the address that the browser would go to,
   * outside of the server; and the user code it was for.
   */
  return async function walk({ start, userCode, login = 'ada', decision = 'approve', copies = false }) {
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
      return { status: response.status, next: location && new URL(location) };
    };
    const comeBack = async (next) => (copies ? next.href : (await fetch(next)).status);

    const page = new URL(start);
    if (userCode) page.searchParams.set('code', userCode);
    const code = page.searchParams.get('code');
    const { next } = await visit(page);
    // A request that is refused: the browser goes back at once.
    if (next && next.origin !== origin) return { status: await comeBack(next) };
    const asked = next?.searchParams;
    if (!asked?.get('client_id')) throw new Error(`${page} is refused: ${asked}`);

    await visit('/api/auth', 'POST', { username: login, password });
    await visit(`/api/auth/grant/${asked.get('client_id')}`, 'PUT', { scope: asked.get('scope') });
    page.searchParams.set('g_continue', '');
    const end = await visit(page);
    if (end.next && end.next.origin !== origin) return { status: await comeBack(end.next) };
    const said = end.next?.searchParams;
    if (said?.get('prompt') !== 'deviceComplete') throw new Error(`the sign-in does not end: ${said}`);
    return { status: end.status, userCode: code };
  };
}
