//! What to run where answers to PUT do not get as far as this process.

use std::path::Path;

use crate::Fs;

/// Nitro instances show their id here, in containers too.
const ASSET_TAG: &str = "/sys/devices/virtual/dmi/id/board_asset_tag";

/// The command that raises the limit.
pub(super) fn command(instance_id: Option<&str>) -> String {
    format!(
        "aws ec2 modify-instance-metadata-options --instance-id {} --http-put-response-hop-limit 2 \
         --http-endpoint enabled",
        instance_id.unwrap_or("INSTANCE_ID")
    )
}

/// The instance's id, as the machine itself shows it.
pub(super) fn instance_id_of_machine(fs: &Fs) -> Option<String> {
    let bytes = fs.read(Path::new(ASSET_TAG), 256).ok()?;
    instance_id(std::str::from_utf8(&bytes).ok()?)
}

/// The text, if it is an instance's id: it ends up in a command.
pub(super) fn instance_id(text: &str) -> Option<String> {
    let text = text.trim();
    let rest = text.strip_prefix("i-")?;
    let is_id = (8..=32).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_alphanumeric());
    is_id.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_instance_id_gets_into_the_command() {
        for bad in ["", "i-", "i-0;rm -rf /", "<html>", "i-0123456789abcdef0 x"] {
            assert_eq!(instance_id(bad), None, "{bad}");
        }
        let id = instance_id("i-0123456789abcdef0\n").unwrap();
        assert_eq!(
            command(Some(&id)),
            "aws ec2 modify-instance-metadata-options --instance-id i-0123456789abcdef0 \
             --http-put-response-hop-limit 2 --http-endpoint enabled"
        );
    }

    #[test]
    fn the_machine_shows_its_id_where_it_is_an_instance() {
        let folder = tempfile::tempdir().unwrap();
        let fs = Fs::rooted(folder.path());
        assert_eq!(instance_id_of_machine(&fs), None);
        fs.create_folder(Path::new(ASSET_TAG).parent().unwrap()).unwrap();
        fs.write(Path::new(ASSET_TAG), b"i-0123456789abcdef0\n").unwrap();
        assert_eq!(instance_id_of_machine(&fs).unwrap(), "i-0123456789abcdef0");
    }
}
