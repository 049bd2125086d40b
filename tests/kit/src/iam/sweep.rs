//! The other things that may be attached to a user: listed and taken away, and made by hand.

use super::page::{page, place};
use super::{Answer, New, Work, already_exists, delete_conflict, no_such, users};
use crate::clock;
use crate::error::AwsError;
use crate::world::{Attachment, LoginProfile, UnassignedMfa, User};
use crate::xml::Element;

/// Which of a user's lists.
type Of = fn(&mut User) -> &mut Vec<Attachment>;

fn list(
    work: &mut Work<'_>,
    name: &'static str,
    of: Of,
    write: impl Fn(&User, &Attachment) -> Vec<Element>,
) -> Answer {
    let user = work.user_mut()?;
    let attachments = of(user).clone();
    let items = attachments
        .iter()
        .map(|attachment| {
            (attachment.id.clone(), Element::parent("member", write(user, attachment)))
        })
        .collect();
    page(work, name, items)
}

fn delete(work: &mut Work<'_>, id: &str, of: Of, missing: &str) -> Answer {
    let id = work.params.required(id).to_owned();
    let attachments = of(work.user_mut()?);
    let at = attachments.iter().position(|attachment| attachment.id == id);
    let at = at.ok_or_else(|| no_such(format!("The {missing} with id {id} cannot be found.")))?;
    attachments.remove(at);
    Ok(Vec::new())
}

fn head(user: &User, id: &'static str, attachment: &Attachment) -> Vec<Element> {
    vec![
        Element::text("UserName", user.name.as_str()),
        Element::text(id, attachment.id.as_str()),
        Element::text("Status", "Active"),
    ]
}

pub(super) fn list_signing_certificates(work: &mut Work<'_>) -> Answer {
    list(
        work,
        "Certificates",
        |user| &mut user.iam.signing_certificates,
        |user, attachment| {
            let mut elements = head(user, "CertificateId", attachment);
            elements.push(Element::text(
                "CertificateBody",
                "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
            ));
            elements.push(Element::text("UploadDate", clock::extended(attachment.created)));
            elements
        },
    )
}

pub(super) fn delete_signing_certificate(work: &mut Work<'_>) -> Answer {
    delete(work, "CertificateId", |user| &mut user.iam.signing_certificates, "Certificate")
}

pub(super) fn list_ssh_public_keys(work: &mut Work<'_>) -> Answer {
    list(
        work,
        "SSHPublicKeys",
        |user| &mut user.iam.ssh_public_keys,
        |user, attachment| {
            let mut elements = head(user, "SSHPublicKeyId", attachment);
            elements.push(Element::text("UploadDate", clock::extended(attachment.created)));
            elements
        },
    )
}

pub(super) fn delete_ssh_public_key(work: &mut Work<'_>) -> Answer {
    delete(work, "SSHPublicKeyId", |user| &mut user.iam.ssh_public_keys, "Public Key")
}

pub(super) fn list_service_specific_credentials(work: &mut Work<'_>) -> Answer {
    let service = work.params.get("ServiceName").map(str::to_owned);
    let user = work.user()?;
    let credentials = user.iam.service_specific_credentials.iter();
    let wanted =
        credentials.filter(|one| service.as_ref().is_none_or(|service| *service == one.service));
    let items = wanted
        .map(|one| {
            let mut elements = head(user, "ServiceSpecificCredentialId", one);
            elements.extend([
                Element::text("ServiceUserName", format!("{}-at-{}", user.name, user.account)),
                Element::text("CreateDate", clock::extended(one.created)),
                Element::text("ServiceName", one.service.as_str()),
            ]);
            (one.id.clone(), Element::parent("member", elements))
        })
        .collect();
    page(work, "ServiceSpecificCredentials", items)
}

pub(super) fn delete_service_specific_credential(work: &mut Work<'_>) -> Answer {
    let of: Of = |user| &mut user.iam.service_specific_credentials;
    delete(work, "ServiceSpecificCredentialId", of, "Service Specific Credential")
}

pub(super) fn list_mfa_devices(work: &mut Work<'_>) -> Answer {
    let user = work.user()?;
    let items = user
        .mfa_devices
        .iter()
        .enumerate()
        .map(|(at, device)| {
            let elements = vec![
                Element::text("UserName", user.name.as_str()),
                Element::text("SerialNumber", device.serial.as_str()),
                Element::text("EnableDate", clock::extended(user.iam.created)),
            ];
            (place(at), Element::parent("member", elements))
        })
        .collect();
    page(work, "MFADevices", items)
}

/// Those of metal have serial numbers, and security keys ARNs of another kind (`u2f`).
fn is_virtual(serial: &str) -> bool {
    serial.starts_with("arn:") && serial.contains(":mfa/")
}

/// A virtual device stays, without a user; a security key goes, and a device of metal is the
/// owner's to keep.
pub(super) fn deactivate_mfa_device(work: &mut Work<'_>) -> Answer {
    let serial = work.params.required("SerialNumber").to_owned();
    let devices = &mut work.user_mut()?.mfa_devices;
    let at = devices.iter().position(|device| device.serial == serial);
    let at = at.ok_or_else(|| {
        no_such(format!("MFA Device with serial number {serial} cannot be found."))
    })?;
    devices.remove(at);
    if is_virtual(&serial) {
        let account = work.account().to_owned();
        work.state.world.unassigned_mfa.push(UnassignedMfa { account, serial });
    }
    Ok(Vec::new())
}

pub(super) fn delete_virtual_mfa_device(work: &mut Work<'_>) -> Answer {
    let serial = work.params.required("SerialNumber").to_owned();
    if !is_virtual(&serial) {
        return Err(AwsError::validation(format!("{serial} is no virtual MFA device")));
    }
    let account = work.account().to_owned();
    let world = &mut work.state.world;
    let mut users = world.users.iter().filter(|user| user.account == account);
    if users.any(|user| user.mfa_devices.iter().any(|device| device.serial == serial)) {
        return Err(delete_conflict("MFA VirtualDevice in use. Must deactivate first."));
    }
    let is_it = |device: &UnassignedMfa| device.account == account && device.serial == serial;
    let at = world.unassigned_mfa.iter().position(is_it).ok_or_else(|| {
        no_such(format!("VirtualMFADevice with serial number {serial} doesn't exist."))
    })?;
    world.unassigned_mfa.remove(at);
    Ok(Vec::new())
}

pub(super) fn list_virtual_mfa_devices(work: &mut Work<'_>) -> Answer {
    let status = work.params.get("AssignmentStatus").unwrap_or("Any");
    let (world, account) = (work.world(), work.account());
    let mut devices = Vec::new();
    if status != "Unassigned" {
        for user in world.users.iter().filter(|user| user.account == account) {
            for device in user.mfa_devices.iter().filter(|it| is_virtual(&it.serial)) {
                devices.push(vec![
                    Element::text("SerialNumber", device.serial.as_str()),
                    Element::parent("User", users::elements(world, user)),
                    Element::text("EnableDate", clock::extended(user.iam.created)),
                ]);
            }
        }
    }
    if status != "Assigned" {
        for device in world.unassigned_mfa.iter().filter(|device| device.account == account) {
            devices.push(vec![Element::text("SerialNumber", device.serial.as_str())]);
        }
    }
    let items = devices
        .into_iter()
        .enumerate()
        .map(|(at, elements)| (place(at), Element::parent("member", elements)));
    page(work, "VirtualMFADevices", items.collect())
}

fn login_profile(user: &User) -> Result<Element, AwsError> {
    let profile =
        user.iam.login_profile.as_ref().ok_or_else(|| {
            no_such(format!("Login Profile for User {} cannot be found.", user.name))
        })?;
    Ok(Element::parent(
        "LoginProfile",
        vec![
            Element::text("UserName", user.name.as_str()),
            Element::text("CreateDate", clock::extended(profile.created)),
            Element::text("PasswordResetRequired", profile.password_reset_required.to_string()),
        ],
    ))
}

pub(super) fn create_login_profile(work: &mut Work<'_>) -> Answer {
    let (now, params) = (work.now, work.params);
    work.state.minted.push(params.required("Password").into());
    let user = work.user_mut()?;
    if user.iam.login_profile.is_some() {
        return Err(already_exists(format!(
            "Login Profile for user {} already exists.",
            user.name
        )));
    }
    let password_reset_required = params.get("PasswordResetRequired") == Some("true");
    user.iam.login_profile = Some(LoginProfile { created: now, password_reset_required });
    let (id, element) = (user.unique_id(), login_profile(user)?);
    work.state.iam.made(New::LoginProfile, &id, now);
    Ok(vec![element])
}

pub(super) fn get_login_profile(work: &mut Work<'_>) -> Answer {
    Ok(vec![login_profile(work.user()?)?])
}

pub(super) fn delete_login_profile(work: &mut Work<'_>) -> Answer {
    let at = work.user_at()?;
    login_profile(&work.world().users[at])?;
    let (name, id) = {
        let user = &work.world().users[at];
        (user.name.clone(), user.unique_id())
    };
    if work.state.iam.is_unseen(New::LoginProfile, &id, work.now) {
        return Err(AwsError::new(
            409,
            "EntityTemporarilyUnmodifiable",
            format!(
                "Login Profile for User {name} cannot be modified while login profile is being created."
            ),
        ));
    }
    work.state.world.users[at].iam.login_profile = None;
    Ok(Vec::new())
}
