//! Forwards bytes between the two ends of a connection.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
};

use super::line::Line;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// From the program to the server.
    Up,
    Down,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Both ends closed it in order.
    Closed,
    Broken,
}

/// Forwards in both directions until both ends have closed the connection or one of them has broken it.
pub(super) async fn both(client: &mut TcpStream, server: &mut TcpStream, line: &Line) -> End {
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let up = one(from_client, to_server, Direction::Up, line);
    let down = one(from_server, to_client, Direction::Down, line);
    match tokio::try_join!(up, down) {
        Ok(_) => End::Closed,
        Err(_) => End::Broken,
    }
}

/// Forwards in one direction. Dropped bytes are lost: nothing is forwarded after them, not even the end of the connection,
/// because a vanished peer does not close it.
async fn one(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, direction: Direction, line: &Line) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    let mut lost = false;
    loop {
        let read = from.read(&mut buffer).await;
        if direction == Direction::Up
            && let Ok(length) = read
        {
            line.inspect(&buffer[..length]);
        }
        if lost || line.is_silent(direction) {
            lost = true;
            match read {
                Ok(1..) => continue,
                Ok(0) | Err(_) => return Ok(()),
            }
        }
        let length = read?;
        if let Some(delay) = line.delay() {
            tokio::time::sleep(delay).await;
        }
        if length == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..length]).await?;
    }
}
