"""Writes a C program that calls every function of rolecall.h with NULL for every pointer in turn.

A pointer may be NULL where the function's comment says "`name` may be NULL", and `error` always. All
others must be refused: by ROLECALL_INVALID_ARGUMENT with an error that names the argument and with
the outputs untouched, or, where a function has no status, by NULL or 0.
"""

import re
import subprocess
import sys

from pycparser import c_ast, c_parser

# What is given for an argument that is not the one in question.
TEXTS = {"input": "{}", "options": "{}", "listing": "{}", "format": "env", "listen": "127.0.0.1:0"}


def functions(header):
    """Each function's name, comment, result and arguments."""
    source = subprocess.run(
        ["gcc", "-E", "-P", "-nostdinc", "-Dbool=_Bool", "-Dint32_t=int", "-Duint32_t=unsigned",
         "-Dint64_t=long", "-Duint64_t=unsigned long", "-Duint8_t=unsigned char",
         "-Duint16_t=unsigned short", "-Dsize_t=unsigned long", "-"],
        input=re.sub(r"#include <.*>", "", header), capture_output=True, text=True, check=True)
    found = re.findall(r"/\*\*?((?:(?!\*/).)*)\*/\s*[^;{}]*?\b(rolecall_\w+)\s*\(", header, re.S)
    comments = {name: " ".join(text.replace("*", " ").split()) for text, name in found}
    for node in c_parser.CParser().parse(source.stdout).ext:
        if isinstance(node, c_ast.Decl) and isinstance(node.type, c_ast.FuncDecl):
            arguments = node.type.args.params if node.type.args else []
            arguments = [] if arguments and arguments[0].name is None else arguments
            yield node.name, comments[node.name], node.type.type, arguments


def type_of(node):
    """A type as text, without const."""
    if isinstance(node, c_ast.PtrDecl):
        return type_of(node.type) + " *"
    if isinstance(node, c_ast.TypeDecl):
        kind = node.type
        return kind.name if isinstance(kind, c_ast.Struct) else " ".join(kind.names)
    raise TypeError(node)


def given(argument, kind):
    """What to give for an argument, and whether it is a pointer."""
    name = argument.name
    if kind == "char *":
        return f'"{TEXTS.get(name, "text")}"', True
    if kind == "unsigned char *":
        return "bytes", True
    if kind == "void *":
        return "&place", True
    if kind in ("rolecall_ask", "rolecall_provide", "rolecall_release"):
        return kind.removeprefix("rolecall_"), True
    if kind.startswith("rolecall_") and kind.endswith("* *"):
        const = "const " if kind == "rolecall_credentials * *" else ""
        return f"({const}{kind})&place", True
    if kind.endswith(" *") and kind.startswith("rolecall_"):
        return kind.removeprefix("rolecall_").removesuffix(" *"), True
    if kind == "unsigned long *":
        return "(uint64_t *)&place", True
    return "1", False


def calls(header):
    """The C statements, and how many pointers of how many functions they cover."""
    lines, pointers, names = [], 0, []
    for name, comment, result, arguments in functions(header):
        names.append(name)
        kinds = [type_of(argument.type) for argument in arguments]
        values = [given(argument, kind) for argument, kind in zip(arguments, kinds)]
        gives = type_of(result)
        for at, (argument, (_, is_pointer)) in enumerate(zip(arguments, values)):
            if not is_pointer:
                continue
            pointers += 1
            is_error = argument.name == "error" and kinds[at].endswith("* *")
            may_be = is_error or f"`{argument.name}` may be NULL" in comment
            texts = ["NULL" if other == at else text for other, (text, _) in enumerate(values)]
            if may_be:
                # What it does without is the other tests' matter, if it would do much.
                if name.endswith("_free"):
                    lines.append(f"{name}({', '.join(texts)});")
                elif is_error and kinds.count("rolecall_error * *"):
                    # It fails, and there is nowhere to say why.
                    needed = [other for other, (_, pointer) in enumerate(values)
                              if pointer and other != at
                              and f"`{arguments[other].name}` may be NULL" not in comment]
                    if needed:
                        texts[needed[0]] = "NULL"
                        call = f"{name}({', '.join(texts)})"
                        lines.append(f"CHECK({call} == ROLECALL_INVALID_ARGUMENT);")
                continue
            call = f"{name}({', '.join(texts)})"
            if gives == "rolecall_status" and name != "rolecall_error_status":
                texts = [f"&error" if other == len(values) - 1 else text
                         for other, text in enumerate(texts)]
                call = f"{name}({', '.join(texts)})"
                lines.append(f'REFUSES("{argument.name}", {call});')
            elif name == "rolecall_error_status":
                lines.append(f"CHECK({call} == ROLECALL_INVALID_ARGUMENT);")
            else:
                lines.append(f"CHECK({call} == 0);")
    return lines, pointers, names


PROGRAM = """/* Made by nulls.py: {pointers} pointers of {functions} functions. */

#include "check.h"

#define REFUSES(name, call) \\
    do {{ \\
        place = MARK; \\
        CHECK((call) == ROLECALL_INVALID_ARGUMENT); \\
        CHECK(error != NULL && place == MARK); \\
        CHECK(strstr(rolecall_error_message(error), name " is NULL") != NULL); \\
        rolecall_error_free(error); \\
        error = NULL; \\
    }} while (0)

static void *place, *const MARK = &place;

static int32_t ask(void *data, const char *question, char *answer, size_t room)
{{
    (void)data, (void)question, (void)answer, (void)room;
    return ROLECALL_DENIED;
}}

static int32_t provide(void *data, const rolecall_credentials **credentials, rolecall_error **why)
{{
    (void)data, (void)credentials, (void)why;
    return ROLECALL_DENIED;
}}

static void release(void *data)
{{
    (void)data;
}}

int main(void)
{{
    rolecall_error *error = NULL;
    static const uint8_t bytes[1];
    rolecall_session_options *session_options = rolecall_session_options_new();
    rolecall_session *session = session_of("user");
    const rolecall_credentials *credentials = NULL;
    DO(rolecall_session_credentials(session, &credentials, &error));
    rolecall_answer *answer = NULL;
    DO(rolecall_explain(NULL, &answer, &error));
    rolecall_roles_anywhere *roles_anywhere = NULL;
    DO(rolecall_roles_anywhere_new("a", "b", "c", &roles_anywhere, &error));
    rolecall_token_source *token_source = NULL;
    DO(rolecall_token_source_new(session, "{{}}", &token_source, &error));
    rolecall_verifier *verifier = NULL;
    DO(rolecall_verifier_new("{{\\"account_ids\\": [\\"111111111111\\"]}}", &verifier, &error));
    rolecall_leases_options *leases_options = rolecall_leases_options_new();
    rolecall_leases *leases = NULL;
    DO(rolecall_leases_open(NULL, &leases, &error));
    rolecall_worker *worker = NULL;
    DO(rolecall_worker_new(leases, 1, &worker, &error));
    rolecall_auth *auth = NULL;
    DO(rolecall_auth_new(leases, &auth, &error));
    (void)release, (void)ask, (void)provide, (void)bytes, (void)place;

    {calls}

    rolecall_auth_free(auth);
    rolecall_worker_free(worker);
    rolecall_leases_free(leases);
    rolecall_leases_options_free(leases_options);
    rolecall_verifier_free(verifier);
    rolecall_token_source_free(token_source);
    rolecall_roles_anywhere_free(roles_anywhere);
    rolecall_answer_free(answer);
    rolecall_credentials_free(credentials);
    rolecall_session_free(session);
    rolecall_session_options_free(session_options);
    puts("{pointers} pointers of {functions} functions");
    return 0;
}}
"""


def program(header):
    lines, pointers, names = calls(header)
    return PROGRAM.format(pointers=pointers, functions=len(names), calls="\n    ".join(lines))


if __name__ == "__main__":
    print(program(open(sys.argv[1]).read()))
