"""`eks get-token` as a process against AWS CLI, by hyperfine: prints a table of medians and ratios."""

import os
import pathlib
import tempfile

from processes import AWS_V1, AWS_V2, EMPTY, ROLECALL, median_ms, peak_kib


def main():
    with tempfile.TemporaryDirectory() as home:
        environment = {
            "HOME": home, "PATH": os.environ["PATH"], "AWS_REGION": "eu-west-1",
            "AWS_DEFAULT_REGION": "eu-west-1", "AWS_EC2_METADATA_DISABLED": "true",
        }
        pathlib.Path(home, ".aws").mkdir()
        pathlib.Path(home, ".aws/config").write_text("""\
[default]
aws_access_key_id = AKIAIOSFODNN7EXAMPLE
aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
""")
        arguments = "eks get-token --cluster-name prod"
        ours = f"{ROLECALL} {arguments}"
        empty = median_ms(str(EMPTY), environment, 1000)
        token = median_ms(ours, environment, 1000)
        v1 = median_ms(f"{AWS_V1} {arguments} --output json", environment, 10)
        v2 = median_ms(f"{AWS_V2} {arguments}", environment, 10)
        rows = [
            ("an empty Rust program", empty, ""),
            ("rolecall eks get-token", token, f"{token / empty:.2f} x the empty program"),
            ("AWS CLI v1 eks get-token", v1, f"{v1 / token:.0f} x rolecall"),
            ("AWS CLI v2 eks get-token", v2, f"{v2 / token:.0f} x rolecall"),
        ]
        print("\n| process | median, ms | ratio |\n| --- | --- | --- |")
        for name, milliseconds, ratio in rows:
            print(f"| {name} | {milliseconds:.2f} | {ratio} |")
        print(f"\npeak memory of eks get-token: {peak_kib(ours, environment) * 1024 / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
