use std::io::{self, Write};
use std::process::ExitCode;

use rolecall::Context;
use rolecall::rolesanywhere::command_line::{HelperOptions, SignFormat};
use rolecall::rolesanywhere::{IdentityReader, sign_string};

use crate::args::{Global, SignStringArgs};
use crate::helper_flags::{bad_usage, check};
use crate::output::{Failure, print};

pub(crate) fn run(global: &Global, args: &SignStringArgs) -> Result<ExitCode, Failure> {
    let mut options = args.identity.options(global);
    (options.digest, options.format) = (args.digest.into(), global.form(args.format).into());
    run_for(options)
}

/// Signs the helper's fixed text, and prints the signature as it does.
pub(crate) fn run_for(mut options: HelperOptions) -> Result<ExitCode, Failure> {
    options.check_signer().unwrap_or_else(|error| bad_usage(&error));
    check(&mut options)?;
    let reader = IdentityReader::new(Context::real(), options.identity.clone());
    let signature = rolecall::block_on(async {
        let signer = match (&options.identity.certificate, &options.identity.private_key) {
            // Both are given so that they are compared.
            (Some(_), Some(_)) => reader.identity().await?.signer().clone(),
            _ => reader.signer().await?,
        };
        sign_string(&*signer, options.digest).await
    })??;
    let hex = || signature.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    match options.format {
        SignFormat::Json => print(&format!("\"{}\"", hex())),
        SignFormat::Text => print(&hex()),
        SignFormat::Bin => {
            let mut out = io::stdout().lock();
            out.write_all(&signature)?;
            out.flush()?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
