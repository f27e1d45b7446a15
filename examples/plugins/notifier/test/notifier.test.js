// A mail arrives at a local SMTP server for each message that says `fraud_detected`.

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { createServer } = require('node:net');
const path = require('node:path');
const { test } = require('node:test');

const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');
const { SMTPServer } = require('smtp-server');

const FOLDER = path.join(__dirname, '..');
const READY_MS = 20_000;

/** Start an SMTP server; `mails.next()` waits for the next mail it takes. */
async function mailServer(t) {
  const arrived = [];
  const waiting = [];
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    async onData(stream, session, done) {
      const parts = [];
      for await (const part of stream) parts.push(part);
      const mail = { to: session.envelope.rcptTo.map((to) => to.address), text: Buffer.concat(parts).toString() };
      arrived.push(mail);
      waiting.shift()?.(mail);
      done();
    },
  });
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  t.after(() => new Promise((resolve) => server.close(resolve)));
  const next = () => new Promise((resolve) => (arrived.length ? resolve(arrived[0]) : waiting.push(resolve)));
  return { port: server.server.address().port, arrived, next };
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}

/** Start the plugin as a host does, its folder being its working directory; return a client. */
async function started(t, smtpPort) {
  const port = await freePort();
  const environment = { PATH: process.env.PATH, PLUGIN_MODE: 'grpc', PLUGIN_PORT: port, SMTP_PORT: smtpPort };
  const plugin = spawn('node', ['index.js'], { cwd: FOLDER, env: environment, stdio: 'inherit' });
  t.after(() => plugin.kill('SIGKILL'));
  const definition = protoLoader.loadSync(path.join(FOLDER, 'plugin.proto'));
  const { PluginService } = grpc.loadPackageDefinition(definition).plugin.v1;
  const client = new PluginService(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  t.after(() => client.close());
  await new Promise((resolve, reject) =>
    client.waitForReady(Date.now() + READY_MS, (error) => (error ? reject(error) : resolve())),
  );
  return (name, request) =>
    new Promise((resolve, reject) => client[name](request, (error, answer) => (error ? reject(error) : resolve(answer))));
}

const message = (id, payload) => ({ id, type: 'Transaction', payload: Buffer.from(JSON.stringify(payload)) });

test('a plugin of nothing but GetMetadata and Process says who it is', async (t) => {
  const call = await started(t, 1);
  const { name, version, type, protocol, features } = await call('GetMetadata', {});
  assert.deepEqual(
    { name: 'email-notifier', version: '1.0.0', type: 'consumer', protocol: 0, features: [] },
    { name, version, type, protocol: protocol ?? 0, features: features ?? [] },
  );
});

test('a mail arrives for a message with fraud_detected, and for no other', async (t) => {
  const mails = await mailServer(t);
  const call = await started(t, mails.port);

  const harmless = await call('Process', message('a', { id: 'tx-1', fraud_detected: false }));
  const fraud = await call('Process', message('b', { id: 'tx-2', fraud_detected: true }));
  const mail = await mails.next();

  assert.deepEqual(['a', 'notification_sent'], [harmless.id, harmless.type]);
  assert.deepEqual(['b', 'notification_sent'], [fraud.id, fraud.type]);
  assert.deepEqual(['security@example.com'], mail.to);
  assert.match(mail.text, /Subject: Fraud Alert/);
  assert.match(mail.text, /Fraud detected in transaction tx-2/);
  assert.equal(1, mails.arrived.length);
});
