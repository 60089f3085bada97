// The page and its script, through Babel, with a dev server that passes /api on to the api process.
const path = require('node:path');

const PORT = Number(process.env.PORT || 5000);
// The type `api` stands behind `web` in the Procfile: its first instance has the port 100 above.
const API = `http://127.0.0.1:${PORT + 100}`;

module.exports = {
  entry: './src/index.js',
  output: { path: path.resolve(__dirname, 'dist'), filename: 'main.js', clean: true },
  module: {
    rules: [
      {
        test: /\.js$/,
        exclude: /node_modules/,
        use: { loader: 'babel-loader', options: { presets: [['@babel/preset-env', { targets: 'defaults' }]] } },
      },
    ],
  },
  devServer: {
    host: '127.0.0.1',
    port: PORT,
    static: path.resolve(__dirname, 'public'),
    proxy: [{ context: ['/api'], target: API }],
  },
};
