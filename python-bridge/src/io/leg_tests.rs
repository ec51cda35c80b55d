use std::net::Ipv4Addr;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::super::incoming::dial;
use super::*;

/// Decides BR-19.
#[tokio::test]
async fn local_sockets_are_made_without_delay_and_reset_when_dropped() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let dialled = dial(listener.local_addr().unwrap().port()).await.unwrap();
    assert!(dialled.nodelay().unwrap());
    let (mut accepted, _) = listener.accept().await.unwrap();
    prepare(&accepted).unwrap();
    assert!(accepted.nodelay().unwrap());
    drop(dialled);
    let error = accepted.read(&mut [0]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn an_orderly_end_delivers_the_last_bytes() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let mut dialled = dial(listener.local_addr().unwrap().port()).await.unwrap();
    let (mut accepted, _) = listener.accept().await.unwrap();
    dialled.write_all(b"last").await.unwrap();
    end_in_order(&dialled).unwrap();
    drop(dialled);
    let mut bytes = Vec::new();
    accepted.read_to_end(&mut bytes).await.unwrap();
    assert_eq!(bytes, b"last");
}

#[tokio::test]
async fn early_bytes_come_first_and_once() {
    let (mut far, near) = tokio::io::duplex(16);
    let mut leg = Leg::new(near, Vec::new(), Arc::default());
    far.write_all(&[1]).await.unwrap();
    // Cancelled between the two bytes: nothing is lost.
    tokio::select! {
        biased;
        _ = leg.pid(1) => panic!("one byte is no pid"),
        () = std::future::ready(()) => {}
    }
    far.write_all(&[0, 5, 6]).await.unwrap();
    assert_eq!(leg.pid(1).await.unwrap(), Verdict::Right);
    drop(far);
    leg.until_hung_up().await;
    let mut bytes = Vec::new();
    leg.read_to_end(&mut bytes).await.unwrap();
    assert_eq!(bytes, [1, 0, 5, 6]);
}

/// Decides BR-10.
#[tokio::test]
async fn early_bytes_are_bounded() {
    let (mut far, near) = tokio::io::duplex(3 * BUFFER);
    let mut leg = Leg::new(near, Vec::new(), Arc::default());
    far.write_all(&vec![0; 3 * BUFFER]).await.unwrap();
    tokio::select! {
        biased;
        () = leg.until_hung_up() => panic!("nobody hung up"),
        () = tokio::task::yield_now() => {}
    }
    assert_eq!(leg.early.len(), BUFFER);
    assert!(leg.early.capacity() <= 2 * BUFFER);
}
