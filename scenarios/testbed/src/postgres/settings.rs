//! The server's settings: durable as in production, sized for a laptop with two cores.

/// Content of `postgresql.auto.conf`, which is read last.
pub(super) fn settings(port: u16) -> String {
    format!(
        "\
listen_addresses = '127.0.0.1'
port = {port}
# Nobody needs a socket file, and its path could be too long.
unix_socket_directories = ''
max_connections = 300

# An error does not log the row that it is about, nor the statement: rows name buyers.
log_error_verbosity = terse
log_min_error_statement = panic

# What has been committed stays committed.
fsync = on
synchronous_commit = on
full_page_writes = on

shared_buffers = '256MB'
max_wal_size = '4GB'
wal_compression = on
checkpoint_timeout = '15min'
random_page_cost = 1.1
# Many small statements: none is worth compiling or a second core.
jit = off
max_parallel_workers_per_gather = 0
# Rows of the saga are updated a few times within seconds of their birth.
autovacuum_naptime = '15s'
"
    )
}
