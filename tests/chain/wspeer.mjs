// A WebSocket server by npm's `ws`, for test_subs: wspeer.mjs [KEY CERTIFICATE]. It prints its port,
// then, for each client: answers each subscription, pings, and sends one notice in fragments with a
// ping between them, one of 300 KB, and, of /close, the end. /mute says nothing. Of /field a client
// must bring "X-Key: 7".
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { require } from './chain.mjs';

const { WebSocketServer } = require('ws');
const [key, cert] = process.argv.slice(2, 4);
const server = key
  ? https.createServer({ key: readFileSync(key), cert: readFileSync(cert) }) : http.createServer();
const sockets = new WebSocketServer({
  server, verifyClient: ({ req }) => req.url !== '/field' || req.headers['x-key'] === '7',
});

const notice = (sub, result) =>
  JSON.stringify({ jsonrpc: '2.0', method: 'eth_subscription', params: { subscription: sub, result } });

sockets.on('connection', (socket, request) => {
  let pongs = 0, subs = 0;
  socket.on('pong', () => {
    pongs += 1;
    if (pongs === 2) socket.send(notice('0xs0', { pongs }));
  });
  socket.on('message', (text) => {
    const { id } = JSON.parse(text);
    if (request.url === '/mute') return;
    if (request.url === '/garbage') { socket.send('{"id":'); return; }
    socket.send(JSON.stringify({ jsonrpc: '2.0', id, result: `0xs${subs}` }));
    subs += 1;
    if (subs !== 2) return;
    socket.ping('first');
    const whole = notice('0xs0', { fragments: 3 });
    socket.send(whole.slice(0, 10), { fin: false });
    socket.send(whole.slice(10, 20), { fin: false });
    socket.ping('second');
    socket.send(whole.slice(20), { fin: true });
    socket.send(notice('0xs1', { padding: 'x'.repeat(300000) }));
    if (request.url === '/close') socket.close(1001);
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.on('end', () => process.exit(0)).resume();
