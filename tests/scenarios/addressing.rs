//! How a private API is called: connect address, SNI, Host, `x-apigw-api-id` and stage are settings of their own.

use postern_tests::Outcome;
use postern_tests::pki::Pki;
use postern_tests::postern::{self, Config};
use postern_tests::stage::Stage;
use postern_tests::upstream::{API_ID, HOST};

/// A DNS name of the execute-api VPC endpoint.
const ENDPOINT: &str = "vpce-0a1b2c3d-e4f5.execute-api.eu-west-1.vpce.amazonaws.com";

/// Without what [`Config::new`] says about names.
fn nameless(config: Config) -> Config {
    config.without("upstream.host").without("upstream.server_name")
}

#[test]
fn the_api_and_its_region_are_enough_to_be_understood() -> Outcome {
    let stage = Stage::set_with(|config| {
        nameless(config)
            .text("upstream.api_id", API_ID)
            .text("upstream.region", "eu-west-1")
            .text("upstream.stage", "prod")
    })?;
    let echo = stage.curl("good", "/orders?x").call()?.echo()?;
    assert_eq!((echo.api.as_str(), echo.values("host")), (API_ID, vec![HOST]));
    assert_eq!((echo.path.as_str(), echo.query.as_deref()), ("/prod/orders", Some("x")));
    assert!(echo.values("x-apigw-api-id").is_empty());
    assert_eq!(stage.curl("good", "/").call()?.echo()?.path, "/prod/");
    let escape = stage.curl("good", "/../staging/x").arg("--path-as-is").call()?;
    assert_eq!(escape.status, 400, "the stage is not to be left");
    Ok(())
}

#[test]
fn a_header_names_the_api_where_host_is_the_endpoint() -> Outcome {
    let stage = Stage::set_with(|config| {
        nameless(config)
            .text("upstream.host", ENDPOINT)
            .text("upstream.api_id", API_ID)
            .text("upstream.api_id_in", "header")
    })?;
    for protocol in ["--http1.1", "--http2"] {
        let call = stage.curl("good", "/").arg(protocol).header("X-Apigw-Api-Id: zzzzzzzzzz");
        let echo = call.header("X_Apigw_Api_Id: zzzzzzzzzz").call()?.echo()?;
        assert_eq!((echo.api.as_str(), echo.values("host")), (API_ID, vec![ENDPOINT]));
        assert_eq!(echo.values("x-apigw-api-id"), [API_ID], "ours, and no client's");
    }
    Ok(())
}

#[test]
fn the_endpoints_id_is_part_of_the_name() -> Outcome {
    let name = format!("{API_ID}-vpce-0a1b2c3d.execute-api.eu-west-1.amazonaws.com");
    let stage = Stage::set_with(|config| nameless(config).text("upstream.host", &name))?;
    let echo = stage.curl("good", "/").call()?.echo()?;
    assert_eq!((echo.api.as_str(), echo.values("host")), (API_ID, vec![name.as_str()]));
    Ok(())
}

#[test]
fn one_endpoint_serves_the_apis_of_several_routes() -> Outcome {
    let stage = Stage::set_with(|config| {
        nameless(config).text("upstream.region", "eu-west-1").text("upstream.stage", "prod").list(&format!(
            "[[route]]\nname = 'orders'\npath_prefix = '/orders'\n[route.upstream]\napi_id = '{API_ID}'\n\
             [[route]]\nname = 'other'\npath_prefix = '/other'\n[route.upstream]\napi_id = 'zzzzzzzzzz'\n\
             [[route]]\nname = 'deep'\npath_prefix = '/deep'\nrewrite_prefix = '/dev/orders'\n\
             [route.upstream]\napi_id = '{API_ID}'\nstage = 'dev'\n",
        ))
    })?;
    let echo = |path: &str| stage.curl("good", path).call()?.echo();
    assert_eq!(echo("/orders/7")?.path, "/prod/7", "as a base path mapping does");
    assert_eq!(echo("/deep/7")?.path, "/dev/orders/7");
    assert_eq!(stage.curl("good", "/other/7").call()?.status, 403, "the endpoint has no such API");
    Ok(())
}

#[test]
fn names_that_cannot_work_are_found_before_anything_listens() -> Outcome {
    let pki = Pki::make()?;
    let config = nameless(Config::new(&pki, ([127, 0, 0, 1], 9).into()));
    for (config, words) in [
        (config.clone().text("upstream.address", format!("{ENDPOINT}:443")), "upstream.host: missing"),
        (config.clone().text("upstream.api_id", API_ID), "upstream.region: missing"),
        (
            config.clone().text("upstream.api_id", "zzzzzzzzzz").text("upstream.host", HOST),
            "upstream.host: names something else than api_id",
        ),
        (
            config.clone().text("upstream.host", HOST).text("upstream.region", "us-east-1"),
            "upstream.host: in eu-west-1, but region is in us-east-1",
        ),
        (config.clone().text("upstream.vpce", ENDPOINT), "upstream.vpce: contradicts address"),
        (
            config.list("[[route]]\nname = 'a'\nrewrite_prefix = '/b'\n[route.upstream]\nstage = 'prod'\n"),
            "route[1].rewrite_prefix: does not begin with the stage, /prod",
        ),
    ] {
        let checked = postern::check(&config)?;
        assert_eq!(checked.code(), 1, "{words}");
        assert!(checked.stderr.contains(words), "{words} in {}", checked.stderr);
    }
    Ok(())
}
