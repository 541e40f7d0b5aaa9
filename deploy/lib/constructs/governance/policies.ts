/** The two service control policies: what may be connected to, and who may let others in. */

/** Endpoints only of Amazon's services, and of those of the named accounts. */
export function allowedEndpoints(owners: readonly string[]): object {
  return {
    Version: "2012-10-17",
    Statement: [
      {
        Sid: "OnlyKnownEndpointServices",
        Effect: "Deny",
        Action: ["ec2:CreateVpcEndpoint", "ec2:ModifyVpcEndpoint"],
        Resource: "arn:aws:ec2:*:*:vpc-endpoint/*",
        // The key is there for endpoint services alone; resource endpoints are the next statement's.
        Condition: { StringNotEqualsIfExists: { "ec2:VpceServiceOwner": ["amazon", "aws-marketplace", ...owners] } },
      },
      {
        Sid: "OnlyKnownResources",
        Effect: "Deny",
        // No condition key of ec2:CreateVpcEndpoint names a resource configuration's owner; accepting the share is where it can be stopped.
        Action: ["ram:AcceptResourceShareInvitation"],
        Resource: "*",
        Condition: { StringNotEquals: { "ram:ShareOwnerAccountId": [...owners] } },
      },
    ],
  };
}

/** Only the network's administrators change who may connect. */
export function onlyNetworkAdmins(admins: readonly string[]): object {
  return {
    Version: "2012-10-17",
    Statement: [
      {
        Sid: "OnlyNetworkAdminsLetOthersIn",
        Effect: "Deny",
        Action: [
          "ec2:AcceptVpcEndpointConnections",
          "ec2:CreateVpcEndpointServiceConfiguration",
          "ec2:ModifyVpcEndpointServiceConfiguration",
          "ec2:ModifyVpcEndpointServicePermissions",
          "vpc-lattice:CreateResourceConfiguration",
          "vpc-lattice:CreateResourceGateway",
          "vpc-lattice:PutResourcePolicy",
          "vpc-lattice:UpdateResourceConfiguration",
          "vpc-lattice:UpdateResourceGateway",
        ],
        Resource: "*",
        Condition: { ArnNotLike: { "aws:PrincipalArn": [...admins] } },
      },
    ],
  };
}
