// Java's own HttpClient: what a partner's Java does. Prints what came of it as JSON.

import java.io.FileInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

public class Client {
    private static final char[] PASSWORD = "changeit".toCharArray();

    public static void main(String[] arguments) throws Exception {
        String version = arguments[0], url = arguments[1], root = arguments[2], store = arguments[3];
        HttpClient client = HttpClient.newBuilder()
            .version(version.equals("2") ? HttpClient.Version.HTTP_2 : HttpClient.Version.HTTP_1_1)
            .sslContext(context(root, store)).build();
        StringBuilder result = new StringBuilder("{");
        try {
            var got = client.send(to(url + "/get").build(), BodyHandlers.ofString());
            result.append("\"version\":\"").append(got.version()).append("\",\"get\":").append(got.statusCode());
            var post = to(url + "/post").POST(HttpRequest.BodyPublishers.ofByteArray(new byte[11000])).build();
            String echo = client.send(post, BodyHandlers.ofString()).body();
            result.append(",\"post\":").append(echo.contains("\"bytes\":11000") ? 11000 : 0);
            byte[] large = client.send(to(url + "/bytes/5000000").build(), BodyHandlers.ofByteArray()).body();
            result.append(",\"large\":").append(large.length);
        } catch (Exception error) {
            String text = error.toString().replace('"', '\'').replace('\n', ' ').replace('\\', '/');
            result.append(result.length() > 1 ? "," : "").append("\"error\":\"").append(text).append('"');
        }
        System.out.println(result.append('}'));
        System.exit(0);
    }

    private static HttpRequest.Builder to(String url) {
        return HttpRequest.newBuilder(URI.create(url));
    }

    private static SSLContext context(String root, String store) throws Exception {
        KeyStore keys = KeyStore.getInstance("PKCS12");
        try (var file = new FileInputStream(store)) {
            keys.load(file, PASSWORD);
        }
        KeyManagerFactory identity = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        identity.init(keys, PASSWORD);
        KeyStore anchors = KeyStore.getInstance(KeyStore.getDefaultType());
        anchors.load(null, null);
        try (var file = new FileInputStream(root)) {
            anchors.setCertificateEntry("root", CertificateFactory.getInstance("X.509").generateCertificate(file));
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(anchors);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(identity.getKeyManagers(), trust.getTrustManagers(), null);
        return context;
    }
}
