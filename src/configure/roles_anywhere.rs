//! Profiles that get their credentials from IAM Roles Anywhere.

use rolecall_core::profile::edit::{Change, Edit, SectionName, SettingKey, SettingValue};
use rolecall_core::profile::{FileKind, Source, Warning, WarningKind, plan_profile};
use rolecall_core::{Echo, ErrorKind, Result, SecretInput};
use rolecall_rolesanywhere::command_line::{HelperOptions, profile_line};

use super::{Settings, invalid};

const PROCESS: &str = "credential_process";

impl Settings {
    /// Asks for what `options` lack of certificate, key and ARNs. An empty answer leaves the key
    /// out, which may lie with the certificate.
    ///
    /// # Errors
    /// `InvalidConfiguration` without a terminal, or for an answer that is needed and empty.
    pub async fn ask_for_certificate(&self, options: &mut HelperOptions) -> Result<()> {
        let (identity, request) = (&mut options.identity, &mut options.request);
        if identity.certificate.is_none() {
            let path = self.put_plainly("Certificate (a file, or a PKCS#11 URI)").await?;
            identity.certificate = path.map(|path| SecretInput::File(path.into()));
            if identity.private_key.is_none() {
                let question = "Private key (empty: it lies with the certificate)";
                let path = self.put_plainly(question).await?;
                identity.private_key = path.map(|path| SecretInput::File(path.into()));
            }
        }
        for (arn, question) in [
            (&mut request.trust_anchor_arn, "ARN of the trust anchor"),
            (&mut request.profile_arn, "ARN of the Roles Anywhere profile"),
            (&mut request.role_arn, "ARN of the role"),
        ] {
            if arn.is_empty() {
                *arn = self.put_plainly(question).await?.unwrap_or_default();
            }
        }
        options.check_request().map_err(|error| invalid(error.to_string()))
    }

    async fn put_plainly(&self, question: &str) -> Result<Option<String>> {
        let question = format!("{question}: ");
        let answer = self.context.prompt.ask_or_pass(&question, Echo::On).await;
        let answer = answer.map_err(|error| match error.kind() {
            ErrorKind::InvalidConfiguration => error.with_help(
                "give --certificate, --private-key, --trust-anchor-arn, --profile-arn and \
                 --role-arn",
            ),
            _ => error,
        })?;
        Ok(answer.map(|answer| answer.expose().to_owned()))
    }

    /// Writes a profile whose `credential_process` calls `program` with `options`. Gives what its
    /// reader should know, as [`Self::set`] does.
    ///
    /// # Errors
    /// `InvalidConfiguration` for what a profile cannot hold or should not: a password. As
    /// [`rolecall_core::profile::edit::edit_files`].
    pub async fn set_roles_anywhere(
        &self,
        program: &str,
        options: &HelperOptions,
    ) -> Result<Vec<Warning>> {
        let section = SectionName::profile(self.profile())?;
        let line = SettingValue::new(profile_line(program, options)?.into())?;
        let change = Change::Set(SettingKey::new(PROCESS, None)?, line);
        let mut warnings = self.write(&[Edit { file: FileKind::Config, section, change }]).await?;
        warnings.extend(self.winner()?);
        Ok(warnings)
    }

    /// What goes before the `credential_process` of this profile.
    fn winner(&self) -> Result<Option<Warning>> {
        let set = self.load()?;
        let Some(property) = set.get(self.profile()).and_then(|p| p.property(PROCESS)) else {
            return Ok(None);
        };
        let plan = plan_profile(&set, self.profile(), &self.context.env);
        let is_used = plan.as_ref().is_ok_and(|plan| {
            matches!(&plan.source, Source::Process { origin, .. } if *origin == property.origin)
        });
        Ok((!is_used).then(|| Warning {
            kind: WarningKind::Skipped,
            origin: property.origin.clone(),
            message: format!(
                "the profile has settings that go before {PROCESS}; see `rolecall explain \
                 --profile {}`",
                self.profile()
            ),
        }))
    }
}
