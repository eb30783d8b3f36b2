// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

// Logs like an ERC-721's, or an ERC-1155's, and nothing else: many blocks' worth in one.
contract Flood {
    event Transfer(address indexed from, address indexed to, uint256 indexed id);

    function flood(uint256 first, uint256 count) external {
        for (uint256 i = 0; i < count; i++) {
            emit Transfer(address(0), msg.sender, first + i);
        }
    }

    event TransferSingle(
        address indexed operator, address indexed from, address indexed to, uint256 id, uint256 value
    );

    // To a thousand people in turn, of a hundred ids.
    function flood1155(uint256 first, uint256 count) external {
        for (uint256 i = first; i < first + count; i++) {
            emit TransferSingle(msg.sender, address(0), address(uint160(1 + i % 1000)), i / 1000 % 100, 1);
        }
    }
}
