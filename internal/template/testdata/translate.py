# Prints template.yaml as CloudFormation gets it from SAM: translate.py template.yaml
import json
import sys

from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform


class NoManagedPolicies:
    def load(self):
        return {}


def packaged(template):
    # the translator takes files from a bucket only, as sam package leaves them
    template["Globals"]["Function"]["CodeUri"] = "s3://bucket/code.zip"
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        if "DefinitionUri" in properties:
            properties["DefinitionUri"] = "s3://bucket/" + properties["DefinitionUri"]
    return template


with open(sys.argv[1]) as file:
    source = packaged(yaml_parse(file.read()))
json.dump(transform(source, {}, NoManagedPolicies()), sys.stdout)
