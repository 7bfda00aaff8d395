"""Tells what is in pprof files, one JSON object a line for each file named.

The files are parsed by Google's protobuf. Its message types are made here from the numbers of the
fields, as profile.proto gives them, so that nothing has to be compiled. Protobuf refuses a file with a
string that is not UTF-8: `utf8` is false then, and the strings are read as bytes.
"""

import gzip
import json
import sys

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

INTEGER, UNSIGNED, BOOLEAN, STRING = "int64", "uint64", "bool", "string"

# Message: {field: (number, type)}; a type in brackets is repeated.
MESSAGES = {
    "Profile": {
        "sample_type": (1, ["ValueType"]),
        "sample": (2, ["Sample"]),
        "mapping": (3, ["Mapping"]),
        "location": (4, ["Location"]),
        "function": (5, ["Function"]),
        "string_table": (6, [STRING]),
        "drop_frames": (7, INTEGER),
        "keep_frames": (8, INTEGER),
        "time_nanos": (9, INTEGER),
        "duration_nanos": (10, INTEGER),
        "period_type": (11, "ValueType"),
        "period": (12, INTEGER),
        "comment": (13, [INTEGER]),
        "default_sample_type": (14, INTEGER),
        "doc_url": (15, INTEGER),
    },
    "ValueType": {"type": (1, INTEGER), "unit": (2, INTEGER)},
    "Sample": {"location_id": (1, [UNSIGNED]), "value": (2, [INTEGER]), "label": (3, ["Label"])},
    "Label": {
        "key": (1, INTEGER),
        "str": (2, INTEGER),
        "num": (3, INTEGER),
        "num_unit": (4, INTEGER),
    },
    "Mapping": {
        "id": (1, UNSIGNED),
        "memory_start": (2, UNSIGNED),
        "memory_limit": (3, UNSIGNED),
        "file_offset": (4, UNSIGNED),
        "filename": (5, INTEGER),
        "build_id": (6, INTEGER),
        "has_functions": (7, BOOLEAN),
        "has_filenames": (8, BOOLEAN),
        "has_line_numbers": (9, BOOLEAN),
        "has_inline_frames": (10, BOOLEAN),
    },
    "Location": {
        "id": (1, UNSIGNED),
        "mapping_id": (2, UNSIGNED),
        "address": (3, UNSIGNED),
        "line": (4, ["Line"]),
        "is_folded": (5, BOOLEAN),
    },
    "Line": {"function_id": (1, UNSIGNED), "line": (2, INTEGER), "column": (3, INTEGER)},
    "Function": {
        "id": (1, UNSIGNED),
        "name": (2, INTEGER),
        "system_name": (3, INTEGER),
        "filename": (4, INTEGER),
        "start_line": (5, INTEGER),
    },
}


def profile_class(strings):
    file = descriptor_pb2.FileDescriptorProto(name="pprof", package="pprof", syntax="proto3")
    kinds = descriptor_pb2.FieldDescriptorProto
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            repeated = isinstance(kind, list)
            kind = kind[0] if repeated else kind
            label = kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL
            added = message.field.add(name=field, number=number, label=label)
            if kind in MESSAGES:
                added.type, added.type_name = kinds.TYPE_MESSAGE, f".pprof.{kind}"
            else:
                kind = strings if kind == STRING else kind
                added.type = getattr(kinds, f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("pprof.Profile"))


def parse(data):
    try:
        return profile_class(STRING).FromString(data), True
    except DecodeError:
        return profile_class("bytes").FromString(data), False


def told(data):
    profile, utf8 = parse(data)
    strings = profile.string_table
    if not utf8:
        strings = [string.decode("utf-8", "replace") for string in strings]
    functions = {function.id: function for function in profile.function}
    mappings = {mapping.id: mapping for mapping in profile.mapping}

    def frames(location):
        """The frames of a location from the root: all but the last line were inlined."""
        if not location.line:
            yield {"name": f"{location.address:#x}", "file": "", "line": 0, "inlined": False}
        for n, line in reversed(list(enumerate(location.line))):
            function = functions[line.function_id]
            yield {
                "name": strings[function.name],
                "system_name": strings[function.system_name],
                "file": strings[function.filename],
                "line": line.line,
                "column": line.column,
                "start_line": function.start_line,
                "inlined": n + 1 < len(location.line),
            }

    stacks = {location.id: list(frames(location)) for location in profile.location}

    def labels(sample):
        """Texts, and numbers with their units, by key."""
        texts, numbers = {}, {}
        for label in sample.label:
            key = strings[label.key]
            if label.str:
                texts.setdefault(key, []).append(strings[label.str])
            else:
                numbers.setdefault(key, []).append([label.num, strings[label.num_unit]])
        return {"texts": texts, "numbers": numbers}

    def symbolized(location):
        """Whether a reader is told not to look for names; `None` without a mapping."""
        mapping = mappings.get(location.mapping_id)
        return mapping and (
            mapping.has_functions and mapping.has_filenames and mapping.has_line_numbers
        )

    width = len(profile.sample_type)
    assert strings[0] == "", "the first string is empty"
    assert all(len(sample.value) == width for sample in profile.sample), "a value for each type"
    return {
        "utf8": utf8,
        "values": [[strings[of.type], strings[of.unit]] for of in profile.sample_type],
        "default": strings[profile.default_sample_type],
        "totals": [sum(sample.value[n] for sample in profile.sample) for n in range(width)],
        "symbolized": [symbolized(location) for location in profile.location],
        "samples": [
            {
                "stack": [f for id in reversed(sample.location_id) for f in stacks[id]],
                "values": list(sample.value),
                "labels": labels(sample),
            }
            for sample in profile.sample
        ],
    }


def main():
    for path in sys.argv[1:]:
        with open(path, "rb") as file:
            data = file.read()
        try:
            if data[:2] == b"\x1f\x8b":
                data = gzip.decompress(data)
            print(json.dumps(told(data)))
        except (AssertionError, DecodeError, KeyError) as error:
            print(json.dumps({"error": repr(error)}))


main()
