//! Seeds of short links and their content.

use didagent_didcomm::short_link::Sealed;

use super::{Seeds, flipped};
use crate::short_links::sealed;

pub(super) fn add(seeds: &mut Seeds) {
    let Sealed { link, content } = sealed();
    let text = link.text();
    const T: &str = "short_link_text";
    seeds.add(T, "valid", &text);
    seeds.add(
        T,
        "valid-in-a-mail",
        format!("> please join:\n> <{}\n> {}>\n> Alice", &text[..30], &text[30..]),
    );
    seeds.add(T, "valid-ipv6", text.replace("https://med.example.org", "http://[::1]:8080/a"));
    seeds.add(T, "valid-oobid", "see https://example.org/?_oobid=5f0e3ffb-3f92-4648-9868-0d6f8889e6f3.");
    seeds.add(T, "bad-cut", &text[..text.len() - 1]);
    seeds.add(T, "bad-no-secret", link.address());
    seeds.add(T, "bad-id", text.replace("/r/", "/r/A"));
    seeds.add(T, "bad-page", "https://example.org/r/");
    const C: &str = "short_link_content";
    seeds.add(C, "valid", &content);
    seeds.add(C, "bad-tag", flipped(&content, -1));
    seeds.add(C, "bad-salt", flipped(&content, 0));
    seeds.add(C, "bad-long", [&content[..], b"x"].concat());
    seeds.add(C, "bad-empty", b"");
}
