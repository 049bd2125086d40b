//! An explanation for people.

use std::fmt;

use rolecall_core::profile::{Plan, SamlAssertion, Source};
use rolecall_core::{SecretInput, printable, timestamp};

use super::{Cached, Certified, Explanation, Holder};
use crate::setup::StsSettings;

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(plan) = &self.plan {
            write_plan(f, plan, self.mfa_session.as_deref(), self.certified.as_ref())?;
            let endpoint = self.endpoint.as_deref().unwrap_or("(none, see below)");
            if StsSettings::are_needed_by(plan) {
                writeln!(f, "STS      {endpoint}")?;
            }
            writeln!(f, "Region   {}", self.region.as_deref().unwrap_or("(none)"))?;
            match self.cached {
                Cached::No => {}
                Cached::Nothing => writeln!(f, "Cached   nothing that is good: AWS is asked")?,
                Cached::Good { renewed_from, until } => {
                    let [from, until] = [renewed_from, until].map(timestamp::format);
                    writeln!(f, "Cached   good until {until}; AWS is asked from {from} on")?;
                }
            }
            for link in &plan.passed_over {
                writeln!(f, "Passed   {}: {}", link.name, shown(&link.reason))?;
            }
        }
        let elsewhere = self.slips_elsewhere();
        let problems = self.problems.iter().map(|finding| ("Problem", finding));
        let warnings = self.warnings.iter().chain(&elsewhere).map(|finding| ("Warning", finding));
        for (title, finding) in problems.chain(warnings) {
            write!(f, "{title}  ")?;
            match (&finding.file, &finding.place) {
                (Some(origin), _) => write!(f, "{origin}: ")?,
                (None, Some(place)) => write!(f, "{place}: ")?,
                (None, None) => {}
            }
            writeln!(f, "{}", shown(&finding.message))?;
            if let Some(help) = &finding.help {
                writeln!(f, "         help: {}", shown(help))?;
            }
        }
        Ok(())
    }
}

fn write_plan(
    f: &mut fmt::Formatter<'_>,
    plan: &Plan,
    session: Option<&str>,
    certified: Option<&Certified>,
) -> fmt::Result {
    if let Some(profile) = &plan.profile {
        write!(f, "Profile  {profile}")?;
        match &plan.origin {
            Some(origin) => writeln!(f, " ({origin})")?,
            None => writeln!(f)?,
        }
    }
    writeln!(f, "Source   {}", describe(&plan.source))?;
    if let Some((url, region)) = certified.and_then(|certified| certified.endpoint.as_ref()) {
        writeln!(f, "Asked    {} in {}", shown(url), shown(region))?;
    }
    if let Some(holder) = certified.and_then(|certified| certified.certificate.as_ref()) {
        let Holder { subject, serial, until } = holder;
        let until = timestamp::format(*until);
        writeln!(f, "Holder   {}, serial number {serial}, until {until}", shown(subject))?;
    }
    if let Some(serial) = session {
        writeln!(f, "MFA      one session of {}, for every role that asks for it", shown(serial))?;
    }
    for hop in &plan.hops {
        write!(f, "Role     {} ({})", shown(&hop.role_arn), hop.origin)?;
        if let Some(seconds) = hop.duration_seconds {
            write!(f, ", for {seconds} s")?;
        }
        if let Some(serial) = hop.mfa_serial.as_deref().filter(|s| session != Some(*s)) {
            write!(f, ", with a code of {}", shown(serial))?;
        }
        if hop.external_id.is_some() {
            write!(f, ", with an external id")?;
        }
        writeln!(f)?;
    }
    Ok(())
}

/// Where an assertion comes from, without what a command line may hold.
pub(super) fn assertion_from(assertion: &SamlAssertion) -> String {
    match assertion {
        SamlAssertion::Process(_) => "saml_process".to_owned(),
        SamlAssertion::Input(SecretInput::File(path)) => path.display().to_string(),
        SamlAssertion::Input(SecretInput::Env(name)) => format!("the variable {name}"),
        SamlAssertion::Input(_) => "standard input".to_owned(),
    }
}

pub(crate) fn describe(source: &Source) -> String {
    match source {
        Source::StaticKeys { access_key_id, origin, .. } => {
            format!("access key {} ({origin})", shown(access_key_id))
        }
        Source::Environment { access_key_id, .. } => {
            format!("access key {} from the environment", shown(access_key_id))
        }
        Source::Process { origin, .. } => format!("credential_process ({origin})"),
        Source::WebIdentity { token_file, role_arn, .. } => {
            format!(
                "web identity: the token in {} for {}",
                shown(&token_file.display().to_string()),
                shown(role_arn)
            )
        }
        Source::Saml { assertion, role_arn, .. } => {
            format!(
                "SAML: the assertion from {} for {}",
                shown(&assertion_from(assertion)),
                shown(role_arn)
            )
        }
        Source::Sso { account_id, role_name, .. } => format!(
            "IAM Identity Center: role {} in account {}",
            shown(role_name.as_deref().unwrap_or("(none)")),
            shown(account_id.as_deref().unwrap_or("(none)"))
        ),
        Source::RolesAnywhere { certificate, role_arn, region, set_by, .. } => format!(
            "IAM Roles Anywhere in {}{}: the certificate in {} for {}",
            shown(region),
            if set_by.is_some() { ", asked by rolecall itself" } else { "" },
            shown(certificate),
            shown(role_arn)
        ),
        Source::LoginSession { .. } => "a session of `aws login`".to_owned(),
        Source::Container => "the container's credentials endpoint".to_owned(),
        Source::Given => "a provider that the program brought".to_owned(),
        _ => "the EC2 metadata service, if there is one".to_owned(),
    }
}

/// What a file says, fit for a terminal.
fn shown(text: &str) -> String {
    printable(text, 4096)
}
