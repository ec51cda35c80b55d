//! `didagent contacts`: whom this home has met, and what it calls them.
//!
//! Schema of the document: `spec/schemas/contacts.schema.json`. It has what a person asks for, and not the connection DIDs, each of
//! which names somebody's mailbox.

use didagent_didcomm::showable;

use serde_json::{Value, json};

use super::args::{ContactsArgs, ContactsCommand};
use crate::core::contacts::Contact;
use crate::core::who;
use crate::failure::Failure;
use crate::io::home::Home;

/// Longest name that is shown, in characters.
const SHOWN: usize = 80;

/// Lists or changes them, and returns what is printed.
///
/// # Errors
/// [`Kind::HomeHeld`] when an engine holds the home, which writes the contacts itself; [`Kind::NameUnknown`],
/// [`Kind::NameAmbiguous`], [`Kind::Usage`].
pub(super) fn run(home: &Home, args: ContactsArgs) -> Result<String, Failure> {
    let Some(command) = args.command else { return list(home, args.json) };
    let _lock = home.lock("contacts")?;
    let mut contacts = home.contacts()?;
    let identity = |who: &str| who::find(who, &contacts.contacts).map(|contact| contact.identity.clone());
    match command {
        ContactsCommand::Name { who, petname } => {
            let identity = identity(&who)?;
            contacts.name(&identity, petname.as_deref())?;
        }
        ContactsCommand::Forget { who } => {
            let identity = identity(&who)?;
            contacts.forget(&identity);
        }
    }
    home.write_contacts(&contacts)?;
    Ok(String::new())
}

fn list(home: &Home, json: bool) -> Result<String, Failure> {
    let contacts = home.contacts()?;
    if json {
        let all: Vec<_> = contacts.contacts.iter().map(document).collect();
        return Ok(json!({"v": 1, "contacts": all}).to_string());
    }
    let lines = contacts.contacts.iter().map(|contact| {
        let own = showable(&contact.name, SHOWN);
        match &contact.petname {
            Some(petname) => {
                format!("{}  {}  (calls itself {own})", showable(petname, SHOWN), contact.identity)
            }
            None => format!("{own}  {}", contact.identity),
        }
    });
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

fn document(contact: &Contact) -> Value {
    let Contact { identity, name, petname, first_met, last_met, post_quantum, connections: _ } = contact;
    json!({
        "identity": identity,
        "name": name,
        "petname": petname,
        "first_met": first_met,
        "last_met": last_met,
        "post_quantum": post_quantum,
    })
}
