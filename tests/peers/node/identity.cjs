// Says as JSON who the SDK's default chain is, and in which region.
// usage: node identity.cjs STS-URL [--region-of-profile]
const { STSClient, GetCallerIdentityCommand } = require("@aws-sdk/client-sts");

const [endpoint, ownRegion] = process.argv.slice(2);
const region = ownRegion ? {} : { region: "us-east-1" };
const client = new STSClient({ endpoint, ...region, maxAttempts: 1 });
const ask = async () => {
    const { Account, Arn, UserId } = await client.send(new GetCallerIdentityCommand({}));
    console.log(JSON.stringify({ Account, Arn, UserId, Region: await client.config.region() }));
};
ask().catch((error) => {
    console.error(`${error.name}: ${error.message}`);
    process.exitCode = 1;
});
