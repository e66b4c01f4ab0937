import io.cloudevents.CloudEvent;
import io.cloudevents.core.format.EventFormat;
import io.cloudevents.core.message.Encoding;
import io.cloudevents.core.provider.EventFormatProvider;
import io.cloudevents.jackson.JsonFormat;
import io.cloudevents.kafka.CloudEventDeserializer;
import io.cloudevents.kafka.CloudEventSerializer;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * CloudEvents over Kafka by the Java SDK.
 *
 * <pre>
 * java RoundTrip.java send BOOTSTRAP TOPIC binary|structured   an event as JSON comes on stdin
 * java RoundTrip.java receive BOOTSTRAP TOPIC                  the first event goes to stdout as JSON
 * </pre>
 */
class RoundTrip {
    static final EventFormat JSON = EventFormatProvider.getInstance().resolveFormat(JsonFormat.CONTENT_TYPE);

    public static void main(String[] words) throws Exception {
        if (words[0].equals("send")) {
            send(words[1], words[2], words[3].equals("structured"));
        } else {
            receive(words[1], words[2]);
        }
    }

    static void send(String bootstrap, String topic, boolean structured) throws Exception {
        CloudEvent event = JSON.deserialize(System.in.readAllBytes());
        CloudEventSerializer serializer = new CloudEventSerializer();
        serializer.configure(
            structured
                ? Map.of(CloudEventSerializer.ENCODING_CONFIG, Encoding.STRUCTURED,
                    CloudEventSerializer.EVENT_FORMAT_CONFIG, JsonFormat.CONTENT_TYPE)
                : Map.of(CloudEventSerializer.ENCODING_CONFIG, Encoding.BINARY),
            false);
        Map<String, Object> settings = Map.of("bootstrap.servers", bootstrap);
        try (var producer = new KafkaProducer<>(settings, new StringSerializer(), serializer)) {
            String key = (String) event.getExtension("partitionkey");
            producer.send(new ProducerRecord<>(topic, key, event)).get();
        }
    }

    static void receive(String bootstrap, String topic) {
        Map<String, Object> settings = Map.of(
            "bootstrap.servers", bootstrap, "group.id", "java-" + System.nanoTime(),
            "auto.offset.reset", "earliest");
        try (var consumer =
                new KafkaConsumer<>(settings, new StringDeserializer(), new CloudEventDeserializer())) {
            consumer.subscribe(List.of(topic));
            while (true) {
                for (var record : consumer.poll(Duration.ofSeconds(1))) {
                    System.out.println(new String(JSON.serialize(record.value())));
                    return;
                }
            }
        }
    }
}
