//! Profiles that get their credentials from IAM Roles Anywhere.

use std::path::{Path, PathBuf};

use rolecall_core::profile::edit::{Change, Edit, SectionName, SettingKey, SettingValue};
use rolecall_core::profile::{FileKind, Source, Warning, WarningKind, plan_profile};
use rolecall_core::{Echo, ErrorKind, Result, SecretInput};
use rolecall_rolesanywhere::IdentitySource;
use rolecall_rolesanywhere::command_line::{HelperOptions, profile_line};

use super::{Settings, invalid};
use crate::roles_anywhere;

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
            identity.certificate = path.as_deref().map(IdentitySource::locate);
            if identity.private_key.is_none() {
                let question = "Private key (empty: it lies with the certificate)";
                let path = self.put_plainly(question).await?;
                identity.private_key = path.as_deref().map(IdentitySource::locate);
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

    /// Writes a profile whose `credential_process` calls `program` with `options`, paths from the
    /// root. Gives the file, and what its reader should know, as [`Self::set`] does. Over access
    /// keys of the profile's own only if it is to be `forced`.
    ///
    /// # Errors
    /// `InvalidConfiguration`, with nothing written: for what is wrong with certificate, key or
    /// request, as far as it can be seen without a password, a PIN or the network; for what a
    /// profile cannot hold or should not: a password. As
    /// [`rolecall_core::profile::edit::edit_files`].
    pub async fn set_roles_anywhere(
        &self,
        program: &str,
        options: &HelperOptions,
        forced: bool,
    ) -> Result<(PathBuf, Vec<Warning>)> {
        let section = SectionName::profile(self.profile())?;
        let (program, options) = self.with_absolute_paths(program, options)?;
        let line = SettingValue::new(profile_line(&program, &options)?.into())?;
        roles_anywhere::check_options(&self.context, &options)?;
        let set = self.load()?;
        let keys = set.get(self.profile()).and_then(|p| p.property("aws_access_key_id"));
        if let Some(keys) = keys.filter(|_| !forced) {
            let message = format!("profile {} has access keys of its own", self.profile());
            return Err(invalid(message).with_place(keys.origin.to_string()).with_help(
                "write another profile (--profile NAME), or take the keys out; --force writes the \
                 line beside them",
            ));
        }
        let change = Change::Set(SettingKey::new(PROCESS, None)?, line);
        let mut warnings = self.write(&[Edit { file: FileKind::Config, section, change }]).await?;
        warnings.extend(self.winner()?);
        let file = set.locations().map(|places| places.config.to_path_buf()).unwrap_or_default();
        Ok((file, warnings))
    }

    /// The name of the profile that is written.
    pub fn profile_name(&self) -> &str {
        self.profile()
    }

    /// The same with paths from the root: programs of profiles are run in any folder. The region is
    /// left out where it is the trust anchor's.
    fn with_absolute_paths(
        &self,
        program: &str,
        options: &HelperOptions,
    ) -> Result<(String, HelperOptions)> {
        let absolute = |path: &Path| {
            let fail = |error: std::io::Error| {
                invalid(format!("{} has no path from the root: {error}", path.display()))
            };
            self.context.fs.absolute(path).map_err(fail)
        };
        let mut options = options.clone();
        let identity = &mut options.identity;
        let inputs = [
            &mut identity.certificate,
            &mut identity.private_key,
            &mut identity.intermediates,
            &mut identity.password,
        ];
        for input in inputs.into_iter().flatten() {
            if let SecretInput::File(path) = input {
                *path = absolute(path)?;
            }
        }
        // A name alone is looked for, in PATH or where libraries are.
        let is_path = |path: &Path| path.components().count() > 1;
        if let Some(module) = identity.pkcs11_module.as_mut().filter(|path| is_path(path)) {
            *module = absolute(module)?;
        }
        let request = &mut options.request;
        if request.region.as_deref() == request.trust_anchor_arn.split(':').nth(3) {
            request.region = None;
        }
        let program = match is_path(Path::new(program)) {
            true => absolute(Path::new(program))?.display().to_string(),
            false => program.to_owned(),
        };
        Ok((program, options))
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
