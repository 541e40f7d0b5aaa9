import type { Settings } from "../config.js";

/** Settings that are each fine, and not together. */
export function contradictions(settings: Settings): string[] {
  const { api, proxy, pki, reach, regions, consumers } = settings;
  const problems: string[] = [];
  const no = (wrong: boolean, problem: string) => {
    if (wrong) problems.push(problem);
  };
  no(proxy.tasks.least > proxy.tasks.most, "proxy.tasks: least is above most");
  no(pki.kind === "own" && proxy.secretArn === undefined, "proxy.secretArn: needed where pki.kind is own, as nobody else makes the key pair");
  no(pki.kind === "private-ca" && proxy.secretArn !== undefined, "proxy.secretArn: the Pki stack makes the key pair; leave it out, or set pki.kind to own");
  no(api.domain === undefined && api.mapped.length > 0, "api.mapped: APIs are mapped under api.domain, which is not set");
  no(new Set(api.mapped.map(({ path }) => path)).size < api.mapped.length, "api.mapped: a path is there twice");
  no(api.domain !== undefined && api.domain === proxy.domain, "api.domain: must differ from proxy.domain, or clients would find the way around the proxy");
  const unsigned = (["events", "lambda", "regional", "alternative"] as const).filter((way) => reach[way] !== undefined && reach[way] !== false);
  for (const way of unsigned) no(api.authorization === "iam", `reach.${way}: nobody signs its requests for the private API; leave it out, or set api.authorization to none`);
  no(reach.privateLink?.privateDnsName === true && regions.length > 1, "reach.privateLink.privateDnsName: one name cannot be verified for the endpoint services of two Regions; leave it out");
  for (const [nth, place] of regions.entries()) {
    const at = `regions.${nth}`;
    no(api.domain !== undefined && place.apiCertificate === undefined, `${at}.apiCertificate: needed with api.domain`);
    no(api.domain === undefined && place.apiCertificate !== undefined, `${at}.apiCertificate: is for api.domain, which is not set`);
    no(reach.alternative !== undefined && place.alternativeCertificate === undefined, `${at}.alternativeCertificate: needed with reach.alternative`);
    no(reach.alternative === undefined && place.alternativeCertificate !== undefined, `${at}.alternativeCertificate: is for reach.alternative, which is not set`);
    for (const key of ["apiCertificate", "alternativeCertificate"] as const) {
      const certificate = place[key];
      no(certificate !== undefined && certificate.split(":")[3] !== place.region, `${at}.${key}: is not of ${place.region}`);
    }
  }
  no(new Set(regions.map(({ region }) => region)).size < regions.length, "regions: a Region is there twice");
  for (const [nth, { region, zones }] of [...regions, ...consumers].entries()) {
    const at = nth < regions.length ? `regions.${nth}` : `consumers.${nth - regions.length}`;
    no(zones.some((zone) => zone.slice(0, -1) !== region), `${at}.zones: not all are of ${region}`);
    no(new Set(zones).size < zones.length, `${at}.zones: a zone is there twice`);
  }
  for (const [nth, consumer] of consumers.entries()) {
    const ways = [consumer.endpointService, consumer.resourceConfiguration].filter((way) => way !== undefined);
    no(ways.length === 0, `consumers.${nth}: needs endpointService or resourceConfiguration to reach the proxy by`);
    no(consumer.account === settings.account && regions.some((place) => place.region === consumer.region && place.cidr === consumer.cidr), `consumers.${nth}: is the provider's own network`);
    no(consumer.endpointService !== undefined && consumer.endpointService.split(".")[3] !== consumer.region, `consumers.${nth}.endpointService: is not of ${consumer.region}`);
  }
  if (reach.lattice === undefined) no(consumers.some((it) => it.resourceConfiguration), "consumers: resourceConfiguration needs reach.lattice");
  if (reach.privateLink === undefined) no(consumers.some((it) => it.endpointService), "consumers: endpointService needs reach.privateLink");
  return problems;
}
