// Copies the contract next to the plugin: the repository holds plugin.proto once.
const fs = require('node:fs');
const path = require('node:path');

const contract = path.join(__dirname, '..', '..', '..', 'proto', 'cdpplugin', 'v1', 'plugin.proto');
fs.copyFileSync(contract, path.join(__dirname, 'plugin.proto'));
