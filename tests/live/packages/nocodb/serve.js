// NocoDB as its own image starts it, on loopback alone: node serve.js PORT
const express = require('express');
const { Noco } = require('nocodb');

const app = express();
app.enable('trust proxy');
const server = app.listen(Number(process.argv[2]), '127.0.0.1', async () => {
  app.use(await Noco.init({}, server, app));
});
