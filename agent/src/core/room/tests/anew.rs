//! A party that was started again asks for the seat that it has, after the start.

use super::*;

fn anew(table: &Table, seat: usize) -> Vec<usize> {
    let index = |event: &Event| match event {
        Event::BeganAnew { index } => Some(*index),
        _ => None,
    };
    table.seats[seat].events.iter().filter_map(index).collect()
}

/// Decides RM-78.
#[test]
fn a_party_that_joins_again_in_a_run_is_told_from_strangers() {
    let mut table = Table::full(3);
    // Not ready yet: whoever comes now is somebody who waits for its answer.
    table.join(member(2, Some(ThresholdRule::Default)));
    table.carry();
    assert!(anew(&table, 0).is_empty());

    let mut table = Table::full(3);
    table.connect();
    table.carry();
    assert!(table.seats.iter().all(|seat| seat.ready.is_some()));
    let stranger = table.join(member(9, None));
    table.carry();
    assert!(table.seats[stranger].failed.is_some());
    assert!(anew(&table, 0).is_empty());
    table.join(member(2, Some(ThresholdRule::Default)));
    table.carry();
    assert_eq!(anew(&table, 0), [1]);
}
