//! `didagent contacts`: whom this home has met, and what it calls them.

use didagent_didcomm::showable;

use super::args::{ContactsArgs, ContactsCommand};
use crate::core::who;
use crate::failure::{Failure, Kind};
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
        return serde_json::to_string(&contacts).map_err(|error| {
            Failure::new(Kind::Other, format!("contacts cannot be written as JSON: {error}"))
        });
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
