"""The protobuf message of Sparkplug B, built from the field numbers of its specification.

Source of numbers, names and types: Eclipse Sparkplug 3.0.0, chapter 6, "Google Protocol Buffer
Schema". Texts are declared as bytes, which look the same on the wire: one unit in Latin-1 must
not make the rest of a message unreadable.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_TYPES = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "uint32": _TYPES.TYPE_UINT32, "uint64": _TYPES.TYPE_UINT64, "float": _TYPES.TYPE_FLOAT,
    "double": _TYPES.TYPE_DOUBLE, "bool": _TYPES.TYPE_BOOL, "string": _TYPES.TYPE_BYTES,
    "bytes": _TYPES.TYPE_BYTES,
}  # fmt: skip
# Message: "number name type"; + marks a repeated field, | one of the alternatives of a value.
_MESSAGES = {
    "Payload": ("1 timestamp uint64", "2 metrics +Metric", "3 seq uint64", "4 uuid string",
                "5 body bytes"),
    "Metric": ("1 name string", "2 alias uint64", "3 timestamp uint64", "4 datatype uint32",
               "5 is_historical bool", "6 is_transient bool", "7 is_null bool",
               "8 metadata MetaData", "9 properties PropertySet", "10 int_value |uint32",
               "11 long_value |uint64", "12 float_value |float", "13 double_value |double",
               "14 boolean_value |bool", "15 string_value |string", "16 bytes_value |bytes",
               "17 dataset_value |DataSet", "18 template_value |Template",
               "19 extension_value |Extension"),
    "MetaData": ("1 is_multi_part bool", "2 content_type string", "3 size uint64", "4 seq uint64",
                 "5 file_name string", "6 file_type string", "7 md5 string",
                 "8 description string"),
    "PropertySet": ("1 keys +string", "2 values +PropertyValue"),
    "PropertySetList": ("1 propertyset +PropertySet",),
    "PropertyValue": ("1 type uint32", "2 is_null bool", "3 int_value |uint32",
                      "4 long_value |uint64", "5 float_value |float", "6 double_value |double",
                      "7 boolean_value |bool", "8 string_value |string",
                      "9 propertyset_value |PropertySet", "10 propertysets_value |PropertySetList",
                      "11 extension_value |Extension"),
    "DataSet": ("1 num_of_columns uint64", "2 columns +string", "3 types +uint32", "4 rows +Row"),
    "Row": ("1 elements +DataSetValue",),
    "DataSetValue": ("1 int_value |uint32", "2 long_value |uint64", "3 float_value |float",
                     "4 double_value |double", "5 boolean_value |bool", "6 string_value |string",
                     "7 extension_value |Extension"),
    "Template": ("1 version string", "2 metrics +Metric", "3 parameters +Parameter",
                 "4 template_ref string", "5 is_definition bool"),
    "Parameter": ("1 name string", "2 type uint32", "3 int_value |uint32", "4 long_value |uint64",
                  "5 float_value |float", "6 double_value |double", "7 boolean_value |bool",
                  "8 string_value |string", "9 extension_value |Extension"),
    "Extension": (),  # third parties' own; nothing in it is looked at
}  # fmt: skip
_PACKAGE = "sparkplug_b"


def _file() -> descriptor_pb2.FileDescriptorProto:
    described = descriptor_pb2.FileDescriptorProto(
        name="sparkplug_b.proto", package=_PACKAGE, syntax="proto2"
    )
    for name, fields in _MESSAGES.items():
        message = described.message_type.add(name=name)
        for line in fields:
            _add_field(message, *line.split())
    return described


def _add_field(
    message: descriptor_pb2.DescriptorProto, number: str, name: str, written: str
) -> None:
    kind = written.lstrip("+|")
    field = message.field.add(name=name, number=int(number), label=_TYPES.LABEL_OPTIONAL)
    if written.startswith("+"):
        field.label = _TYPES.LABEL_REPEATED
    if written.startswith("|"):
        if not message.oneof_decl:
            message.oneof_decl.add(name="value")
        field.oneof_index = 0
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type, field.type_name = _TYPES.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"


_POOL = descriptor_pool.DescriptorPool()
_POOL.Add(_file())
# The class of the outermost message; also what simulators and tests write messages with.
Payload: Any = message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.Payload"))
