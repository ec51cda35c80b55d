//! A stage with a web site that everybody's machine trusts.

use super::didagent;
use super::party::{Agent, bare};
use super::process::run;
use super::site::Site;
use super::stage::Stage;

/// Lets an agent ask the site, which is on this machine.
pub const PRIVATE: &str = "--allow-private-hosts";

/// The stage and the site.
pub struct Town {
    /// The stage.
    pub stage: Stage,
    /// The site.
    pub site: Site,
}

impl Town {
    /// A town whose site has nothing yet.
    pub fn new() -> Self {
        let town = Self { stage: Stage::new(), site: Site::start() };
        town.site.write_authority(&town.authority());
        town
    }

    fn authority(&self) -> std::path::PathBuf {
        self.stage.folder().join("authority.pem")
    }

    /// Publishes the identity of a home under its name, never to be remembered, and returns its did:web.
    pub fn publish(&self, name: &str, home: &str) -> String {
        self.publish_with(name, home, &[])
    }

    /// Like [`Town::publish`], with more words for `identity show`.
    pub fn publish_with(&self, name: &str, home: &str, words: &[&str]) -> String {
        let domain = format!("localhost:{}", self.site.port);
        let mut show = bare(&didagent());
        show.arg("--home").arg(self.stage.home(home)).args(["identity", "show", "--domain", &domain]);
        let shown = run("identity show", show.args(["--path", name]).args(words));
        assert_eq!(shown.code, 0, "{shown:?}");
        let document = shown.lines.join("\n");
        self.site.put(&format!("/{name}/did.json"), "Cache-Control: no-store\r\n", &document);
        self.site.did(name)
    }

    /// Lets an agent trust the site.
    pub fn agent(&self, agent: Agent) -> Agent {
        agent.variable("SSL_CERT_FILE", self.authority())
    }
}
