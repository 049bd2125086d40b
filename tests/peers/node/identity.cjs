// Says as JSON who the SDK's default chain is. usage: node identity.cjs STS-URL
const { STSClient, GetCallerIdentityCommand } = require("@aws-sdk/client-sts");

const client = new STSClient({ endpoint: process.argv[2], region: "us-east-1", maxAttempts: 1 });
client.send(new GetCallerIdentityCommand({})).then(
    ({ Account, Arn, UserId }) => console.log(JSON.stringify({ Account, Arn, UserId })),
    (error) => {
        console.error(`${error.name}: ${error.message}`);
        process.exitCode = 1;
    },
);
