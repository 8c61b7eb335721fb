'use strict';
/* The worker with the unmodified official SDK: answers the same lines of JSON as ours.py. env: SDK, the package's folder. */
const fs = require('fs');
const readline = require('readline');
const { Client } = require(process.env.SDK);

const seconds = () => Number(process.hrtime.bigint()) / 1e9; // the machine's monotonic clock
const cpu = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1e6; };
const within = (promise, time, what) => Promise.race([
  promise,
  new Promise((_, reject) => setTimeout(() => reject(new Error(`timed out: ${what}`)), time * 1000).unref()),
]);
const threads = () => Number(/^Threads:\s+(\d+)/m.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]);
const median = values => values.slice().sort((a, b) => a - b)[Math.floor(values.length / 2)];

function connect({ token, url, twilsock }) {
  const client = new Client(token, { logLevel: 'silent', Twilsock: { uri: twilsock }, apiUri: url });
  const ready = new Promise((resolve, reject) => {
    client.on('initialized', resolve);
    client.on('initFailed', reason => reject(new Error('init failed: ' + JSON.stringify(reason))));
  });
  return { client, ready: within(ready, 30, 'initialized') };
}

async function start_up(place) {
  const began = seconds(), used = cpu();
  const { client, ready } = connect(place);
  await ready;
  const answer = { seconds: seconds() - began, cpu: cpu() - used };
  await client.shutdown();
  return answer;
}

async function list(place) {
  const began = seconds(), used = cpu();
  const { client, ready } = connect(place);
  await ready;
  const found = [];
  for (let page = await client.getSubscribedConversations(); ; page = await page.nextPage()) {
    found.push(...page.items);
    if (!page.hasNextPage) break;
  }
  if (!found.every(conversation => conversation.friendlyName)) throw new Error('a friendly name is missing');
  const last = found[found.length - 1];
  const event = new Promise(resolve => client.on('messageAdded', message => message.conversation.sid === last.sid && resolve()));
  await last.sendMessage('the last one');
  await within(event, 60, 'messageAdded in the last conversation');
  const answer = { seconds: seconds() - began, cpu: cpu() - used, conversations: found.length };
  await client.shutdown();
  return answer;
}

async function send(place) {
  const { client, ready } = connect(place);
  await ready;
  await client.getSubscribedConversations();
  const conversation = await client.getConversationBySid(place.sid);
  const times = [];
  for (let number = 0; number < place.count; number++) {
    const began = seconds();
    await conversation.sendMessage(`message ${number}`);
    times.push(seconds() - began);
  }
  await client.shutdown();
  const ordered = times.slice().sort((a, b) => a - b);
  return { p50: median(times), p99: ordered[Math.min(ordered.length - 1, Math.round(0.99 * ordered.length))] };
}

async function history(place) {
  const { client, ready } = connect(place);
  await ready;
  const conversation = await client.getConversationBySid(place.sid);
  const began = seconds();
  let page = await conversation.getMessages(100), count = page.items.length;
  while (page.hasPrevPage) {
    page = await page.prevPage();
    count += page.items.length;
  }
  const answer = { seconds: seconds() - began, messages: count };
  await client.shutdown();
  return answer;
}


async function send_together(place) {
  const { client, ready } = connect(place);
  await ready;
  await client.getSubscribedConversations();
  const conversation = await client.getConversationBySid(place.sid);
  const work = async sender => {
    for (let number = 0; number < place.count; number++) await conversation.sendMessage(`message ${number} of ${sender}`);
  };
  const began = seconds();
  await Promise.all(Array.from({ length: place.senders }, (_, sender) => work(sender)));
  const answer = { seconds: seconds() - began };
  await client.shutdown();
  return answer;
}

let feed = null;
async function open_feed(place) {
  const { client, ready } = connect(place);
  feed = { client, seen: 0, last: -1, disordered: 0, wanted: Infinity, done: null };
  client.on('messageAdded', message => {
    feed.seen++;
    if (message.index <= feed.last) feed.disordered++;
    feed.last = message.index;
    if (feed.seen >= feed.wanted) feed.done();
  });
  await ready;
  feed.cpu = cpu();
  return {};
}

async function collect({ count }) {
  await within(new Promise(resolve => { feed.done = resolve; feed.wanted = count; if (feed.seen >= count) resolve(); }), 120, `${feed.seen} of ${count} messages`);
  const answer = { finished: seconds(), cpu: cpu() - feed.cpu, disordered: feed.disordered };
  await feed.client.shutdown();
  return answer;
}

async function idle(place) {
  const clients = [connect(place)];
  await clients[0].ready;
  const settled = async () => { for (let i = 0; i < 3; i++) { global.gc(); await new Promise(resolve => setTimeout(resolve, 200)); } };
  await settled();
  const before = process.memoryUsage().rss, running = threads();
  for (let number = 0; number < place.count; number++) {
    const one = connect(place);
    await one.ready;
    clients.push(one);
  }
  await settled();
  const kib = (process.memoryUsage().rss - before) / 1024 / place.count, more = (threads() - running) / place.count;
  await Promise.all(clients.map(one => one.client.shutdown()));
  return { kib, threads: more };
}

const doings = { start_up, list, send, send_together, history, open_feed, collect, idle };
process.on('unhandledRejection', () => {}); // the SDK leaves some behind at shutdown
let turn = Promise.resolve();
readline.createInterface({ input: process.stdin }).on('line', line => {
  const order = JSON.parse(line);
  turn = turn.then(() => doings[order.do](order)).then(answer => console.log(JSON.stringify(answer)), error => console.log(JSON.stringify({ error: String(error && error.message || error) })));
}).on('close', () => process.exit(0));
