// A server of another make behind the same traffic: passes each request on as it came, and its
// answer as it is.

import { request as ask } from 'node:http';
import { text } from 'node:stream/consumers';

import Koa from 'koa';

/** What is about this connection only, and the framing that node sets itself. */
const HOP_BY_HOP = ['connection', 'keep-alive', 'transfer-encoding', 'content-length', 'date'];

/** `onAnswer({ method, path, status, body })` is told of every answer. */
export function createProxy({ port, traffic, onAnswer }) {
  const application = new Koa();
  application.use(traffic.middleware);
  application.use(async (context) => {
    const { method, originalUrl } = context.req;
    const sent = context.req.body ?? await text(context.req);
    const answer = await pass({ port, method, path: originalUrl, headers: context.req.headers }, sent);
    const body = await text(answer);
    context.status = answer.statusCode;
    context.body = body;
    // Koa has guessed one.
    context.remove('content-type');
    for (const [name, value] of Object.entries(answer.headers)) {
      if (!HOP_BY_HOP.includes(name)) context.set(name, value);
    }
    onAnswer({ method, path: context.path, status: answer.statusCode, body });
  });
  return application;
}

function pass({ headers, ...target }, body) {
  return new Promise((resolve, reject) => {
    // One connection a request: a server that is done with one closes it without a word.
    const options = { host: '127.0.0.1', ...target, headers: { ...headers, connection: 'close' }, agent: false };
    ask(options, resolve).once('error', reject).end(body);
  });
}
