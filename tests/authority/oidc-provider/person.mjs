// Plays the person at the browser: real requests to the server's real pages, cookies included.

/** How many pages are there at most between the code and the last word? */
const PAGES = 20;

export function createPerson({ issuer, mark }) {
  const { origin } = new URL(issuer);

  /**
   * Walks from `start` (a verification or authorization URL) to the end and returns the last
   * page's status, or with `copies` the address that the browser would go to, outside of the server.
   * Every walk is a fresh browser, and thus a grant of its own.
   */
  return async function walk({ start, userCode, login = 'ada', decision = 'approve', copies = false }) {
    if (!['approve', 'deny'].includes(decision)) throw new Error(`\`decision\` is \`${decision}\`, not \`approve\` or \`deny\``);
    const cookies = new CookieJar();
    let step = { url: new URL(start) };

    for (let page = 0; page < PAGES; page += 1) {
      const { url, form } = step;
      if (copies && url.origin !== origin) return url.href;
      const response = await fetch(url, {
        method: form ? 'POST' : 'GET',
        body: form,
        redirect: 'manual',
        headers: { accept: 'text/html', cookie: cookies.header(url), ...(url.origin === origin && { 'x-person': mark }) },
      });
      // The browser has come back to the client's own loopback address.
      if (url.origin !== origin) return response.status;
      cookies.store(url, response.headers.getSetCookie());

      if (response.status >= 300 && response.status < 400) {
        step = { url: new URL(response.headers.get('location'), url) };
        continue;
      }
      const html = await response.text();
      if (response.status >= 400) throw new Error(`${url.pathname} answered ${response.status}: ${words(html)}`);
      if (html.includes('Sign-in Success')) return response.status;
      if (html.includes('was interrupted')) {
        if (decision === 'deny') return response.status;
        throw new Error(`${url.pathname} answered ${response.status}: ${words(html)}`);
      }
      if (html.includes('class="red"')) throw new Error(`${url.pathname} answered ${response.status}: ${words(html)}`);
      step = fillIn(html, url, { userCode, login, decision });
    }
    throw new Error(`no end after ${PAGES} pages`);
  };
}

function fillIn(html, url, { userCode, login, decision }) {
  const cancel = /href="([^"]*\/abort)"/.exec(html);
  if (cancel && decision === 'deny') return { url: new URL(unescape(cancel[1]), url) };

  const action = /<form[^>]*action="([^"]*)"/.exec(html);
  if (!action) throw new Error(`${url.pathname} has no form: ${words(html)}`);
  const form = new URLSearchParams();
  for (const [input] of html.matchAll(/<input[^>]*>/g)) {
    const name = /name="([^"]*)"/.exec(input)?.[1];
    if (name) form.set(name, unescape(/value="([^"]*)"/.exec(input)?.[1] ?? ''));
  }
  if (form.get('user_code') === '') form.set('user_code', userCode);
  if (form.has('login')) form.set('login', login);
  if (form.has('password')) form.set('password', 'any will do');
  return { url: new URL(unescape(action[1]), url), form };
}

class CookieJar {
  #cookies = new Map();

  store(url, lines) {
    for (const line of lines) {
      const [pair, ...attributes] = line.split(/;\s*/);
      const name = pair.slice(0, pair.indexOf('='));
      const value = pair.slice(name.length + 1);
      const attribute = (wanted) => attributes
        .find((text) => text.toLowerCase().startsWith(`${wanted}=`))?.slice(wanted.length + 1);
      const path = attribute('path') ?? url.pathname;
      const expires = attribute('expires');
      // The same name lives at several paths: one interaction is at another URL than the next.
      const key = `${name} ${path}`;
      if (value === '' || (expires && Date.parse(expires) < Date.now())) this.#cookies.delete(key);
      else this.#cookies.set(key, { name, value, path });
    }
  }

  header(url) {
    return [...this.#cookies.values()]
      .filter(({ path }) => url.pathname === path || url.pathname.startsWith(path.endsWith('/') ? path : `${path}/`))
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ');
  }
}

const ENTITIES = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };

function unescape(text) {
  return text.replace(/&(amp|lt|gt|quot|#39);/g, (_, name) => ENTITIES[name]);
}

/** What the page says, for an error message. */
function words(html) {
  const body = html.replace(/^[\s\S]*<body[^>]*>/, '').replace(/<[^>]*>/g, ' ');
  return unescape(body).replace(/\s+/g, ' ').trim().slice(0, 300);
}
