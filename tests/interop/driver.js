'use strict';
// Puts official SDK clients into the hands of a Python test.
//
//     node driver.js conversations-3.0.1
//
// One JSON object per line. In: {id, client, do, ...}. Out: {id, result} or {id, error} for each request, and
// {client, event, data} whenever a client raises an event; `data` is what the application could read off the event's
// argument at that moment. Ends when stdin ends. The SDK is unmodified: the one thing replaced is the global WebSocket,
// which it looks up when a client is made, so that a test can cut the line and count sockets.

const { AsyncLocalStorage } = require('async_hooks');
const readline = require('readline');
const WebSocket = require('ws');

const packageName = process.argv[2];
const SDK = require(packageName);
const NOWHERE = 'ws://127.0.0.1:9/'; // the discard port: refuses at once

// stdout belongs to the protocol; whatever the SDK prints goes to stderr.
for (const name of ['log', 'info', 'debug', 'warn', 'error', 'trace']) {
  console[name] = (...words) => process.stderr.write(words.join(' ') + '\n');
}
const say = (line) => process.stdout.write(JSON.stringify(line) + '\n');

// Everything that is done for a client, and whatever that leads to later, runs under the client's name.
const owner = new AsyncLocalStorage();

// ---------------------------------------------------------------- what an application sees, as JSON

const FIELDS = {
  Conversation: ['sid', 'uniqueName', 'friendlyName', 'status', 'attributes', 'createdBy', 'dateCreated', 'dateUpdated',
    'lastReadMessageIndex', 'lastMessage', 'notificationLevel', 'state', 'bindings', 'limits'],
  Message: ['sid', 'index', 'body', 'author', 'attributes', 'type', 'subject', 'participantSid', 'dateCreated',
    'dateUpdated', 'lastUpdatedBy', 'aggregatedDeliveryReceipt'],
  Participant: ['sid', 'identity', 'type', 'attributes', 'roleSid', 'isTyping', 'lastReadMessageIndex',
    'lastReadTimestamp', 'dateCreated', 'dateUpdated', 'bindings'],
  Media: ['sid', 'filename', 'contentType', 'size', 'category'],
  AggregatedDeliveryReceipt: ['total', 'sent', 'delivered', 'read', 'undelivered', 'failed'],
  DetailedDeliveryReceipt: ['sid', 'messageSid', 'conversationSid', 'channelMessageSid', 'participantSid', 'status', 'errorCode'],
  User: ['identity', 'friendlyName', 'attributes', 'isSubscribed', 'isOnline', 'isNotifiable'],
};

// Bytes travel as {"$bytes": base64}; everything else is what it is.
function argument(value) {
  if (value === null || typeof value !== 'object') return value;
  if (typeof value.$bytes === 'string') return Buffer.from(value.$bytes, 'base64');
  if (Array.isArray(value)) return value.map(argument);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, argument(item)]));
}

function picture(value, pages) {
  if (value === undefined || value === null) return null;
  if (value instanceof Date) return isNaN(value) ? 'invalid date' : value.toISOString();
  if (Array.isArray(value)) return value.map((item) => picture(item, pages));
  if (typeof value !== 'object') return value;
  for (const [name, fields] of Object.entries(FIELDS)) {
    if (value instanceof SDK[name]) {
      const seen = Object.fromEntries(fields.map((field) => [field, picture(value[field], pages)]));
      if (value.conversation) seen.conversationSid = value.conversation.sid;
      return seen;
    }
  }
  if (typeof value.nextPage === 'function') {
    pages.push(value);
    const { items, hasNextPage, hasPrevPage } = value;
    return { page: pages.length - 1, items: picture(items, pages), hasNextPage, hasPrevPage };
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, picture(item, pages)]));
}

const fault = (error) => ({
  message: String((error && error.message) || error),
  status: (error && error.status) ?? null,
  code: (error && (error.code ?? (error.body && error.body.code))) ?? null,
});

// ---------------------------------------------------------------- one client

const EVENTS = ['conversationAdded', 'conversationJoined', 'conversationLeft', 'conversationRemoved', 'conversationUpdated',
  'participantJoined', 'participantLeft', 'participantUpdated', 'messageAdded', 'messageRemoved', 'messageUpdated',
  'typingStarted', 'typingEnded', 'userSubscribed', 'userUnsubscribed', 'userUpdated', 'tokenAboutToExpire', 'tokenExpired',
  'stateChanged', 'initialized', 'initFailed', 'connectionStateChanged', 'connectionError'];

class Steered {
  constructor(name, { token, url, options = {} }) {
    Object.assign(this, { pages: [], known: new Map(), sockets: 0, socket: null, offline: false });
    const steered = this;
    class Line extends WebSocket {
      constructor(address, ...rest) {
        super(steered.offline ? NOWHERE : address, ...rest);
        steered.sockets += 1;
        steered.socket = this;
      }
    }
    const twilsock = url.replace(/^http/, 'ws') + '/v3/wsconnect';
    const before = Object.getOwnPropertyDescriptor(globalThis, 'WebSocket');
    Object.defineProperty(globalThis, 'WebSocket', { value: Line, configurable: true });
    try {
      this.client = new SDK.Client(token, { logLevel: 'silent', Twilsock: { uri: twilsock }, apiUri: url, ...options });
    } finally {
      delete globalThis.WebSocket;
      if (before) Object.defineProperty(globalThis, 'WebSocket', before);
    }
    for (const event of EVENTS) {
      this.client.on(event, (argument) => {
        if (argument instanceof SDK.Conversation) this.known.set(argument.sid, argument);
        say({ client: name, event, data: picture(argument, this.pages) });
      });
    }
  }

  async conversation(sid) {
    return this.known.get(sid) || this.client.getConversationBySid(sid);
  }

  // The object a request is about: {} is the client itself.
  async find({ conversation, message, media, participant, user, page }) {
    if (page !== undefined) return this.pages[page];
    if (user !== undefined) return this.client.getUser(user);
    if (conversation === undefined) return this.client;
    const room = await this.conversation(conversation);
    if (participant !== undefined) return room.getParticipantByIdentity(participant);
    if (message === undefined) return room;
    const found = (await room.getMessages(1, message)).items.find((item) => item.index === message);
    if (!found) throw new Error(`no message ${message} in ${conversation}`);
    return media === undefined ? found : found.attachedMedia[media];
  }

  async call({ on = {}, method, args = [] }) {
    const result = await (await this.find(on))[method](...args.map(argument));
    if (result instanceof SDK.Conversation) this.known.set(result.sid, result);
    return result === this.client ? null : picture(result, this.pages);
  }

  // Each method is called on the result of the one before: for builders.
  async chain({ on = {}, calls }) {
    let value = await this.find(on);
    for (const [method, ...args] of calls) value = await value[method](...args.map(argument));
    return picture(value, this.pages);
  }

  async look({ on = {} }) {
    return picture(await this.find(on), this.pages);
  }

  state() {
    return { connectionState: this.client.connectionState, sockets: this.sockets, version: SDK.Client.version };
  }

  cut() {
    if (this.socket) this.socket.terminate();
  }

  setOffline({ value }) {
    this.offline = value;
    if (value) this.cut();
  }

  // What the SDK does when it forgets to listen: for the test of the driver itself.
  abandon({ message }) {
    setTimeout(() => Promise.reject(new Error(message)));
  }

  async shutdown() {
    await this.client.shutdown();
  }
}

// ---------------------------------------------------------------- requests

const clients = new Map();
const COMMANDS = {
  start: (name, request) => void clients.set(name, new Steered(name, request)),
  forget: (name) => void clients.delete(name),
};

async function handle(request) {
  const { client: name, do: command } = request;
  if (COMMANDS[command]) return COMMANDS[command](name, request);
  const steered = clients.get(name);
  if (!steered) throw new Error(`no client ${name}`);
  return steered[command](request);
}

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const request = JSON.parse(line);
  owner.run(request.client, handle, request).then(
    (result) => say({ id: request.id, result: result ?? null }),
    (error) => say({ id: request.id, error: fault(error) }),
  );
}).on('close', () => process.exit(0));

process.on('unhandledRejection', (error) => {
  say({ client: owner.getStore() ?? null, event: 'unhandledRejection', data: fault(error) });
});
say({ client: null, event: 'ready', data: { version: SDK.Client.version } });
