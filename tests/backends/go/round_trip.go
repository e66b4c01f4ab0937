// CloudEvents over Kafka by the Go SDK:
//
//	round_trip send BOOTSTRAP TOPIC binary|structured   an event as JSON comes on stdin
//	round_trip receive BOOTSTRAP TOPIC                  the first event goes to stdout as JSON
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"

	"github.com/IBM/sarama"
	"github.com/cloudevents/sdk-go/protocol/kafka_sarama/v2"
	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/event"
)

func main() {
	action, bootstrap, topic := os.Args[1], os.Args[2], os.Args[3]
	ctx := context.Background()
	var err error
	if action == "send" {
		err = send(ctx, bootstrap, topic, os.Args[4] == "structured")
	} else {
		err = receive(bootstrap, topic)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func send(ctx context.Context, bootstrap, topic string, structured bool) error {
	var found event.Event
	if err := json.NewDecoder(os.Stdin).Decode(&found); err != nil {
		return err
	}
	config := sarama.NewConfig()
	config.Version = sarama.V3_0_0_0
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Retry.Max = 100 // of 0.1 s each; by default a topic that was just made is given 0.3 s
	config.Producer.Return.Successes = true
	config.Producer.Partitioner = sarama.NewCustomPartitioner(
		sarama.WithHashUnsigned(), sarama.WithCustomHashFunction(newMurmur2))
	sender, err := kafka_sarama.NewSender([]string{bootstrap}, config, topic)
	if err != nil {
		return err
	}
	defer sender.Close(ctx)
	if structured {
		ctx = binding.WithForceStructured(ctx)
	} else {
		ctx = binding.WithForceBinary(ctx)
	}
	return sender.Send(ctx, binding.ToMessage(&found))
}

func receive(bootstrap, topic string) error {
	config := sarama.NewConfig()
	config.Version = sarama.V3_0_0_0
	client, err := sarama.NewConsumer([]string{bootstrap}, config)
	if err != nil {
		return err
	}
	defer client.Close()
	partitions, err := client.Partitions(topic)
	if err != nil {
		return err
	}
	messages := make(chan *sarama.ConsumerMessage)
	for _, partition := range partitions {
		part, err := client.ConsumePartition(topic, partition, sarama.OffsetOldest)
		if err != nil {
			return err
		}
		go func() {
			for message := range part.Messages() {
				messages <- message
			}
		}()
	}
	found, err := binding.ToEvent(
		context.Background(), kafka_sarama.NewMessageFromConsumerMessage(<-messages))
	if err != nil {
		return err
	}
	text, err := json.Marshal(found)
	fmt.Println(string(text))
	return err
}
