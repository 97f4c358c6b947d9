/**
 * Facts about the two groups whose Go types no Debian package ships: apiextensions.k8s.io and apiregistration.k8s.io,
 * and about Wherry's own.
 *
 * Notation of a field: `name:type=number`, then `!` when it is required and always written, and further marks in
 * brackets. A type is `T`, `*T` (pointer), `[]T` or `{}T` (map of strings to T).
 */
const CONDITION =
  "type:string=1! status:string=2! lastTransitionTime:Time=3 reason:string=4 message:string=5";
const CONDITIONS = "[merge=type map=type]";

export const EXTRA_TYPES: Record<string, string> = {
  "apiextensions.v1.CustomResourceDefinition":
    "@object metadata:meta.v1.ObjectMeta=1 spec:.CustomResourceDefinitionSpec=2! status:.CustomResourceDefinitionStatus=3",
  "apiextensions.v1.CustomResourceDefinitionList":
    "@object metadata:meta.v1.ListMeta=1 items:[].CustomResourceDefinition=2!",
  "apiextensions.v1.CustomResourceDefinitionSpec":
    "group:string=1! names:.CustomResourceDefinitionNames=3! scope:string=4! " +
    "versions:[].CustomResourceDefinitionVersion=7![atomic] conversion:*.CustomResourceConversion=9 " +
    "preserveUnknownFields:boolean=10",
  "apiextensions.v1.CustomResourceDefinitionNames":
    "plural:string=1! singular:string=2 shortNames:[]string=3[atomic] kind:string=4! listKind:string=5 " +
    "categories:[]string=6[atomic]",
  "apiextensions.v1.CustomResourceDefinitionVersion":
    "name:string=1! served:boolean=2! storage:boolean=3! schema:*.CustomResourceValidation=4 " +
    "subresources:*.CustomResourceSubresources=5 " +
    "additionalPrinterColumns:[].CustomResourceColumnDefinition=6[atomic] deprecated:boolean=7 " +
    "deprecationWarning:*string=8 selectableFields:[].SelectableField=9[atomic]",
  "apiextensions.v1.SelectableField": "jsonPath:string=1!",
  "apiextensions.v1.CustomResourceColumnDefinition":
    "name:string=1! type:string=2! format:string=3 description:string=4 priority:int32=5 jsonPath:string=6!",
  "apiextensions.v1.CustomResourceConversion": "strategy:string=1! webhook:*.WebhookConversion=2",
  "apiextensions.v1.WebhookConversion":
    "clientConfig:*.WebhookClientConfig=2 conversionReviewVersions:[]string=3![atomic]",
  "apiextensions.v1.WebhookClientConfig":
    "service:*.ServiceReference=1 caBundle:bytes=2 url:*string=3",
  "apiextensions.v1.ServiceReference":
    "namespace:string=1! name:string=2! path:*string=3 port:*int32=4",
  "apiextensions.v1.CustomResourceValidation": "openAPIV3Schema:*.JSONSchemaProps=1",
  "apiextensions.v1.CustomResourceSubresources":
    "status:*.CustomResourceSubresourceStatus=1 scale:*.CustomResourceSubresourceScale=2",
  "apiextensions.v1.CustomResourceSubresourceStatus": "",
  "apiextensions.v1.CustomResourceSubresourceScale":
    "specReplicasPath:string=1! statusReplicasPath:string=2! labelSelectorPath:*string=3",
  "apiextensions.v1.CustomResourceDefinitionStatus":
    `conditions:[].CustomResourceDefinitionCondition=1${CONDITIONS} ` +
    "acceptedNames:.CustomResourceDefinitionNames=2 storedVersions:[]string=3[atomic]",
  "apiextensions.v1.CustomResourceDefinitionCondition": CONDITION,
  "apiextensions.v1.ExternalDocumentation": "description:string=1 url:string=2",
  "apiextensions.v1.ValidationRule":
    "rule:string=1! message:string=2 messageExpression:string=3 reason:*string=4 fieldPath:string=5 " +
    "optionalOldSelf:*boolean=6",
  "apiextensions.v1.JSONSchemaProps":
    "id:string=1 $schema:string=2 $ref:*string=3 description:string=4 type:string=5 format:string=6 title:string=7 " +
    "default:*JSON=8 maximum:*double=9 exclusiveMaximum:boolean=10 minimum:*double=11 exclusiveMinimum:boolean=12 " +
    "maxLength:*int64=13 minLength:*int64=14 pattern:string=15 maxItems:*int64=16 minItems:*int64=17 " +
    "uniqueItems:boolean=18 multipleOf:*double=19 enum:[]JSON=20[atomic] maxProperties:*int64=21 " +
    "minProperties:*int64=22 required:[]string=23[atomic] items:*JSON=24 allOf:[].JSONSchemaProps=25[atomic] " +
    "oneOf:[].JSONSchemaProps=26[atomic] anyOf:[].JSONSchemaProps=27[atomic] not:*.JSONSchemaProps=28 " +
    "properties:{}.JSONSchemaProps=29 additionalProperties:*JSON=30 patternProperties:{}.JSONSchemaProps=31 " +
    "dependencies:{}JSON=32 additionalItems:*JSON=33 definitions:{}.JSONSchemaProps=34 " +
    "externalDocs:*.ExternalDocumentation=35 example:*JSON=36 nullable:boolean=37 " +
    "x-kubernetes-preserve-unknown-fields:*boolean=38 x-kubernetes-embedded-resource:boolean=39 " +
    "x-kubernetes-int-or-string:boolean=40 x-kubernetes-list-map-keys:[]string=41[atomic] " +
    "x-kubernetes-list-type:*string=42 x-kubernetes-map-type:*string=43 " +
    "x-kubernetes-validations:[].ValidationRule=44[merge=rule map=rule]",
  "apiregistration.v1.APIService":
    "@object metadata:meta.v1.ObjectMeta=1 spec:.APIServiceSpec=2 status:.APIServiceStatus=3",
  "apiregistration.v1.APIServiceList": "@object metadata:meta.v1.ListMeta=1 items:[].APIService=2!",
  "apiregistration.v1.APIServiceSpec":
    "service:*.ServiceReference=1 group:string=2 version:string=3 insecureSkipTLSVerify:boolean=4 " +
    "caBundle:bytes=5[atomic] groupPriorityMinimum:int32=7! versionPriority:int32=8!",
  "apiregistration.v1.ServiceReference": "namespace:string=1 name:string=2 port:*int32=3",
  "apiregistration.v1.APIServiceStatus": `conditions:[].APIServiceCondition=1${CONDITIONS}`,
  "apiregistration.v1.APIServiceCondition": CONDITION,
  "wherry.v1.Epoch": "@object metadata:meta.v1.ObjectMeta=1 spec:.EpochSpec=2!",
  "wherry.v1.EpochList": "@object metadata:meta.v1.ListMeta=1 items:[].Epoch=2!",
  "wherry.v1.EpochSpec": "holder:string=1! term:int64=2!",
};
