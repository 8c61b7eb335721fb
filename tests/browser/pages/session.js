// What every page of these sample apps begins with: the SDK's bundle, a token from the backend, a client that renews it.
// The address of the page stands for the app's configuration: ?identity=...&tokens=URL&sdk=VERSION
const configuration = new URLSearchParams(location.search);
const identity = configuration.get("identity");
document.write(`<script src="/sdk/${configuration.get("sdk")}.js"><\/script>`);

// Backends answer with the bare token or with JSON; sample apps expect either.
async function askForToken(format) {
  const url = new URL(configuration.get("tokens"));
  url.search = new URLSearchParams({ identity, password: "not looked at", format });
  const answer = await fetch(url, { headers: { Accept: "application/json, text/plain, */*" } });
  if (!answer.ok) throw new Error(`no token: ${answer.status}`);
  return format === "json" ? (await answer.json()).token : answer.text();
}

async function connect(format) {
  const client = new Twilio.Conversations.Client(await askForToken(format));
  client.on("tokenAboutToExpire", async () => client.updateToken(await askForToken(format)));
  client.on("connectionStateChanged", (state) => { document.querySelector("#state").textContent = state; });
  return client;
}

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}
