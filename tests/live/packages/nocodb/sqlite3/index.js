// NocoDB loads this driver whatever its database is, and uses it for SQLite alone.
module.exports = {};
