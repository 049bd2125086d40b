//! The questions of `aws configure`.

use rolecall_core::profile::edit::{Change, Edit, SectionName, SettingKey, SettingValue};
use rolecall_core::profile::{FileKind, Warning, WarningKind};
use rolecall_core::{CredentialsError, Echo, ErrorKind, Result, Secret, printable};

use super::{Settings, file_of};

struct Question {
    name: &'static str,
    text: &'static str,
    /// How the value that is set is shown: not at all but for its end.
    is_masked: bool,
    echo: Echo,
}

const ACCESS_KEY_ID: &str = "aws_access_key_id";
const SESSION_TOKEN: &str = "aws_session_token";

const QUESTIONS: [Question; 5] = [
    Question { name: ACCESS_KEY_ID, text: "AWS Access Key ID", is_masked: true, echo: Echo::On },
    Question {
        name: "aws_secret_access_key",
        text: "AWS Secret Access Key",
        is_masked: true,
        echo: Echo::Off,
    },
    Question { name: SESSION_TOKEN, text: "AWS Session Token", is_masked: true, echo: Echo::Off },
    Question { name: "region", text: "Default region name", is_masked: false, echo: Echo::On },
    Question { name: "output", text: "Default output format", is_masked: false, echo: Echo::On },
];

impl Settings {
    /// Asks for keys, region and form of output, and writes what is new. An empty answer keeps what
    /// is set. A session token is asked for if the key id is one of temporary keys, or if one is
    /// set already. Gives what its reader should know, as [`Self::set`] does.
    ///
    /// # Errors
    /// `InvalidConfiguration` without a terminal, and for an answer that the files cannot hold;
    /// nothing is then written. As [`super::edit_files`].
    pub async fn ask(&self) -> Result<Vec<Warning>> {
        let section = SectionName::profile(self.profile())?;
        let set = self.load()?;
        let profile = set.get(self.profile());
        let mut answers: Vec<(&str, SettingValue)> = Vec::new();
        let mut kept_token = None;
        for question in &QUESTIONS {
            let current = profile.and_then(|profile| profile.get(question.name));
            if question.name == SESSION_TOKEN {
                let new_key = answers.first().filter(|(name, _)| *name == ACCESS_KEY_ID);
                let new_key = new_key.map(|(_, key)| key.expose());
                let key = new_key.or_else(|| profile?.get(ACCESS_KEY_ID));
                let is_set = current.is_some_and(|token| !token.is_empty());
                if !is_set && !key.is_some_and(|key| key.starts_with("ASIA")) {
                    continue;
                }
                if is_set && new_key.is_some() {
                    kept_token = profile.and_then(|profile| profile.property(SESSION_TOKEN));
                }
            }
            let Some(answer) = self.put(question, current).await? else { continue };
            if question.name == SESSION_TOKEN {
                kept_token = None;
            }
            if current != Some(answer.expose()) {
                let value = SettingValue::new(answer);
                answers.push((question.name, value.map_err(|e| e.with_place(question.text))?));
            }
        }
        if answers.is_empty() {
            return Ok(Vec::new());
        }
        let mut edits = edits(&section, answers)?;
        // AWS CLI does so too, also if only keys are new.
        edits.push(Edit { file: FileKind::Config, section, change: Change::AddSection });
        let mut warnings = self.write(&edits).await?;
        warnings.extend(kept_token.map(|property| Warning {
            kind: WarningKind::Skipped,
            origin: property.origin.clone(),
            message: format!(
                "the session token was kept, and belongs to the keys that were set before; \
                 `rolecall configure set --profile {} aws_session_token \"\"` takes it away",
                self.profile()
            ),
        }));
        Ok(warnings)
    }

    async fn put(&self, question: &Question, current: Option<&str>) -> Result<Option<Secret>> {
        let shown = match current {
            None => "None".to_owned(),
            Some(value) if question.is_masked => printable(&masked(value), 200),
            Some(value) => printable(value, 200),
        };
        let text = format!("{} [{shown}]: ", question.text);
        let answer = self.context.prompt.ask_or_pass(&text, question.echo).await;
        answer.map_err(|error| match error.kind() {
            ErrorKind::InvalidConfiguration => without_terminal(error),
            _ => error,
        })
    }
}

fn without_terminal(error: CredentialsError) -> CredentialsError {
    error.with_help(
        "give the values with --set KEY=VALUE, where a secret may be file://PATH, - or env:NAME",
    )
}

fn edits(section: &SectionName, answers: Vec<(&str, SettingValue)>) -> Result<Vec<Edit>> {
    let edits = answers.into_iter().map(|(name, value)| {
        let key = SettingKey::new(name, None)?;
        let file = file_of(&key);
        Ok(Edit { file, section: section.clone(), change: Change::Set(key, value) })
    });
    edits.collect()
}

/// The last four characters, as AWS CLI shows them.
fn masked(value: &str) -> String {
    let length = value.chars().count();
    let end: String = value.chars().skip(length.saturating_sub(4)).collect();
    format!("****************{end}")
}
