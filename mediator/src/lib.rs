//! The mediator: DIDComm mailbox and blind relay of session records.
