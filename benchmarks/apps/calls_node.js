// An echo with the package ws and nothing else.
"use strict";

const http = require("node:http");
const { WebSocketServer } = require("ws");

const server = http.createServer((request, response) => response.end("ok"));

new WebSocketServer({ server, perMessageDeflate: false }).on("connection", (ws) => {
  ws.on("error", () => {});
  ws.on("message", (data, isBinary) => ws.send(data, { binary: isBinary }));
});

server.listen(Number(process.env.PORT), "127.0.0.1");
